#!/usr/bin/python3
"""Proves that a file that uses a name of the standard library includes a header that the C++ standard says declares it.

Usage: check_includes.py [ROOT]     ROOT: the repository; default: the one this script lies in

What other headers of the standard library happen to include differs between compilers and their versions: a file that counts on it builds
on one Debian and fails on the next. A header counts if the file includes it, or a file of this repository that it includes does.
Each offence is a line `file:line: what`; exit 1 if there is one. Standard library only.
"""
import re
import sys
from pathlib import Path

from check_layers import INCLUDE, TOP, without_comments_and_texts

ALGORITHMS = """adjacent_find all_of any_of binary_search clamp copy copy_backward copy_if copy_n count count_if equal equal_range fill fill_n find
 find_first_of find_if find_if_not for_each for_each_n generate generate_n includes inplace_merge is_permutation is_sorted
 lexicographical_compare lower_bound max max_element merge min min_element minmax minmax_element mismatch move next_permutation none_of
 nth_element partial_sort partition remove remove_copy_if remove_if replace replace_if reverse rotate search set_difference
 set_intersection set_union shuffle sort stable_partition stable_sort swap_ranges transform unique upper_bound"""
MATHS = """abs acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin fmod frexp
 hypot ilogb isfinite isinf isnan isnormal ldexp lerp lgamma llround log log10 log1p log2 logb lround modf nan nanf nearbyint nextafter pow
 remainder rint round scalbn signbit sin sinh sqrt tan tanh tgamma trunc fpclassify"""

# Headers, and the names of namespace std that each of them is promised to declare. A name with several headers needs one of them.
DECLARES = {
    "algorithm": ALGORITHMS + " " + " ".join("ranges::" + name for name in ALGORITHMS.split()),
    "array": "array get begin end data size ssize",
    "atomic": """atomic atomic_flag atomic_signal_fence atomic_thread_fence memory_order memory_order_relaxed memory_order_acquire
     memory_order_release memory_order_acq_rel memory_order_seq_cst""",
    "bit": "bit_cast bit_width bit_ceil bit_floor countl_zero countr_zero endian has_single_bit popcount rotl rotr",
    "charconv": "from_chars to_chars chars_format from_chars_result to_chars_result",
    "chrono": "chrono",
    "cmath": MATHS,
    "compare": "strong_ordering weak_ordering partial_ordering",
    "complex": "complex",
    "condition_variable": "condition_variable",
    "cstddef": "byte ptrdiff_t max_align_t to_integer",
    "cstdint": " ".join(f"{u}int{kind}{bits}_t" for u in ("", "u") for kind in ("", "_fast", "_least") for bits in (8, 16, 32, 64))
    + " intptr_t uintptr_t intmax_t uintmax_t",
    "cstdio": "FILE fclose fflush fopen fprintf fputs fread fwrite perror printf puts rename remove setvbuf snprintf sscanf vsnprintf",
    "cstdlib": "abort abs aligned_alloc atof atoi atoll calloc exit free getenv malloc quick_exit realloc strtod strtol strtoll system _Exit",
    "cstring": "memchr memcmp memcpy memmove memset strchr strcmp strerror strlen strncmp strstr",
    "ctime": "clock gmtime localtime strftime time time_t tm",
    "csignal": "raise sig_atomic_t signal",
    "exception": "current_exception exception exception_ptr rethrow_exception terminate uncaught_exceptions",
    "filesystem": "filesystem",
    "fstream": "fstream ifstream ofstream filebuf",
    "functional": "bind cref function greater hash identity invoke less minus multiplies negate not_fn plus ref reference_wrapper",
    "future": "async future promise",
    "initializer_list": "initializer_list",
    "iomanip": "setfill setprecision setw",
    "ios": "fixed hex ios ios_base scientific streamsize",
    "iostream": "cerr cin clog cout",
    "istream": "istream ws",
    "iterator": """advance back_inserter begin data distance empty end inserter istreambuf_iterator iter_value_t make_move_iterator next prev rbegin
     rend reverse_iterator size ssize forward_iterator_tag random_access_iterator_tag""",
    "latch": "latch",
    "limits": "numeric_limits",
    "list": "list",
    "map": "map multimap",
    "memory": "addressof allocator enable_shared_from_this make_shared make_unique shared_ptr unique_ptr weak_ptr static_pointer_cast",
    "mutex": "call_once lock_guard mutex once_flag recursive_mutex scoped_lock unique_lock",
    "new": "align_val_t bad_alloc bad_array_new_length launder nothrow",
    "numbers": "numbers",
    "numeric": "accumulate adjacent_difference gcd inner_product iota lcm midpoint partial_sum reduce transform_reduce",
    "optional": "in_place make_optional nullopt optional",
    "ostream": "endl flush ostream",
    "queue": "priority_queue queue",
    "deque": "deque",
    "random": """bernoulli_distribution discrete_distribution mt19937 mt19937_64 normal_distribution random_device uniform_int_distribution
     uniform_real_distribution""",
    "ranges": "views ranges::iota_view ranges::view ranges::subrange",
    "set": "multiset set",
    "shared_mutex": "shared_lock shared_mutex",
    "span": "as_bytes as_writable_bytes dynamic_extent span begin end data size ssize",
    "sstream": "istringstream ostringstream stringstream",
    "stack": "stack",
    "stdexcept": """domain_error invalid_argument length_error logic_error out_of_range overflow_error range_error runtime_error
     underflow_error""",
    "string": "basic_string char_traits getline stod stof stoi stol stoll stoul stoull string to_string begin end data size ssize erase erase_if",
    "string_view": "basic_string_view string_view",
    "strings": "strcasecmp",
    "system_error": "errc error_category error_code error_condition generic_category make_error_code system_category system_error",
    "thread": "jthread this_thread thread",
    "tuple": "apply forward_as_tuple get ignore make_tuple tie tuple tuple_element_t tuple_size_v",
    "type_traits": """common_type_t conditional_t decay_t enable_if_t false_type integral_constant invoke_result_t is_arithmetic_v is_base_of_v
     is_const_v is_constructible_v is_convertible_v is_enum_v is_floating_point_v is_integral_v is_invocable_v is_same_v is_signed_v
     is_trivially_copyable_v is_unsigned_v make_signed_t make_unsigned_t remove_const_t remove_cv_t remove_cvref_t remove_pointer_t
     remove_reference_t true_type underlying_type_t void_t""",
    "typeinfo": "type_info bad_cast",
    "unordered_map": "unordered_map",
    "unordered_set": "unordered_set",
    "utility": """as_const cmp_equal cmp_greater cmp_less declval exchange forward get in_place index_sequence index_sequence_for
     integer_sequence make_index_sequence make_integer_sequence make_pair move pair swap""",
    "variant": "get get_if holds_alternative monostate variant visit",
    "vector": "vector erase_if begin end data size ssize",
}
# What a header is promised to include, or to declare as well.
BRINGS = {
    "fstream": ["ios"], "istream": ["ios"], "ostream": ["ios"], "iostream": ["ios", "istream", "ostream"], "sstream": ["ios"],
    "map": ["initializer_list", "utility"], "unordered_map": ["initializer_list", "utility"], "optional": ["initializer_list"],
    "ranges": ["initializer_list", "iterator"], "utility": ["initializer_list"], "csignal": [], "filesystem": [],
    **{name: ["initializer_list"] for name in ("algorithm", "array", "deque", "list", "set", "span", "string", "string_view",
                                               "unordered_set", "vector", "variant", "memory", "random", "queue", "stack")},
}
C_HEADERS = {"stdint.h": "cstdint", "stdlib.h": "cstdlib", "string.h": "cstring", "math.h": "cmath", "stdio.h": "cstdio", "time.h": "ctime",
             "signal.h": "csignal", "stddef.h": "cstddef"}

HEADERS_OF = {}
for header, names in DECLARES.items():
    for name in names.split():
        HEADERS_OF.setdefault(name, []).append(header)

NAME = re.compile(r"\bstd::((?:ranges::)?[A-Za-z_][A-Za-z0-9_]*)")


def read(root, path, cache):
    """(lines without comments and texts, standard headers and own files that it includes) of a file; None if there is no such file."""
    if path not in cache:
        file = root / path
        cache[path] = None
        if file.is_file():
            lines = without_comments_and_texts(file.read_text(encoding="utf-8")).splitlines()
            includes = [match for match in map(INCLUDE.match, lines) if match]
            standard = {C_HEADERS.get(i[2], i[2]) for i in includes if i[1] == "<"}
            cache[path] = lines, standard, [i[2] for i in includes if i[1] == '"']
    return cache[path]


def headers_in_reach(root, path, cache):
    """The standard headers that a file includes, itself or through files of this repository."""
    reached, seen, waiting = set(), set(), [path]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        found = read(root, path, cache)
        if found:
            reached |= found[1]
            waiting += found[2]
    return reached | {brought for header in reached for brought in BRINGS.get(header, [])}


def offences(root, path, cache):
    reached, said = headers_in_reach(root, path, cache), set()
    for number, line in enumerate(read(root, path, cache)[0], 1):
        for name in NAME.findall(line):
            headers = HEADERS_OF.get(name, [])
            if headers and name not in said and not reached.intersection(headers):
                said.add(name)
                yield f"{path}:{number}: std::{name} needs {' or '.join(f'<{header}>' for header in headers)}"


def check(root):
    """All offences of the tree as lines of text."""
    files = [file.relative_to(root).as_posix() for room in TOP for file in sorted((root / room).rglob("*"))
             if file.suffix in (".h", ".cpp") and file.is_file()]
    if not files:
        return [f"{root}: there is no source file in {', '.join(TOP)}"]
    cache = {}
    return [offence for path in files for offence in offences(root, path, cache)]


def main(arguments):
    found = check(Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent)
    print("\n".join(found) if found else "includes: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
