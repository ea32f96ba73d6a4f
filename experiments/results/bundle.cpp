// A bundle is one finished run as a plain text file:
//
//   vanishing-point-bundle 4          the format and, as its version, the schema of the tables
//   run_id r0123456789abcdef
//   build ...                         then isa, libraries, backend, outcome, in this order
//   inputs 1                          lines that follow: XXH3-64, bytes and path of a file that the run read; not before schema 4
//   ...
//   configuration 2                   lines that follow: canonical TOML
//   ...
//   table curves 9                    rows that follow, one line each; for every table of run_tables(), in alphabetical order
//   ...
//   checksum xxh3-64 0123456789abcdef over every byte before this line
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <stdexcept>

#include "experiments/results/tables.h"
#include "experiments/results/timings.h"

namespace vp {
namespace {

constexpr std::string_view kMagic = "vanishing-point-bundle";
constexpr std::string_view kChecksum = "checksum xxh3-64 ";

// --- a report as rows ---

// A visitor of visit_tables().
struct TableWriter {
  std::map<std::string, std::string>& tables;

  template <class Row>
  void operator()(const char* name, const std::vector<Row>& rows) {
    tables[name] = rows_text(std::span<const Row>(rows));
  }
};

std::string timings_rows(const RunReport& report, double output_seconds, std::string_view host, std::int64_t threads) {
  std::vector<TimingRow> rows;
  const auto add = [&](std::string_view phase, double seconds) { rows.push_back({phase, seconds, host, threads}); };
  for (std::size_t i = 0; i < report.phase_seconds.size(); ++i) add(to_string(static_cast<Phase>(i)), report.phase_seconds[i]);
  add("output", output_seconds);
  add("wall", report.wall_seconds);
  return rows_text(std::span<const TimingRow>(rows));
}

// --- text ---

std::int64_t line_count(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

// Sections are counted in lines, so each must end with one.
void append_section(std::string& out, const std::string& title, const std::string& lines) {
  if (!lines.empty() && lines.back() != '\n') throw std::logic_error("[encode_bundle] " + title + ": does not end with a line break");
  out += title + ' ' + std::to_string(line_count(lines)) + '\n' + lines;
}

void append_entry(std::string& out, std::string_view key, std::string_view value) {
  if (value.find('\n') != std::string_view::npos) throw std::logic_error("[encode_bundle] " + std::string(key) + ": more than one line");
  out.append(key).append(" ").append(value).append("\n");
}

// A path may hold any byte but 0: its line breaks are written as \n, its backslashes twice.
std::string escaped(std::string_view path) {
  std::string text;
  for (const char c : path) text += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  return text;
}

std::string unescaped(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size();
    if (escape) ++i;
    path += escape && text[i] == 'n' ? '\n' : text[i];
  }
  return path;
}

std::string input_lines(std::span<const InputFile> inputs) {
  std::string lines;
  for (const InputFile& file : inputs) lines += file.hash + ' ' + std::to_string(file.bytes) + ' ' + escaped(file.path) + '\n';
  return lines;
}

// Reads the lines of a bundle one after the other; every fault is an error with the bundle's name and the line.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool at_end() const { return text_.empty(); }

  [[noreturn]] void fail(const std::string& reason) const { throw io_error(name_ + ":" + std::to_string(line_number_) + ": " + reason); }

  std::string_view line() {
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) fail("ends in the middle of a line");
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    ++line_number_;
    return line;
  }

  std::string_view entry(std::string_view key) {
    const std::string_view whole = line();
    const bool fits = whole.starts_with(key) && whole.size() > key.size() && whole[key.size()] == ' ';
    if (!fits) fail("expected an entry \"" + std::string(key) + "\"");
    return whole.substr(key.size() + 1);
  }

  std::int64_t count(std::string_view digits) const {
    const auto value = parse_integer(digits);
    if (!value || *value < 0) fail("expected a number of lines");
    return *value;
  }

  // The next `count` lines as they stand, line breaks included. `check` sees each.
  template <class Check>
  std::string lines(std::int64_t count, Check check) {
    const std::string_view from = text_;
    for (std::int64_t i = 0; i < count; ++i) {
      if (at_end()) fail("a section has fewer lines than it says");
      check(line());
    }
    return std::string(from.substr(0, from.size() - text_.size()));
  }

 private:
  std::string_view text_;
  const std::string& name_;
  std::int64_t line_number_ = 0;
};

// Fields of a line of CSV that has no line breaks inside fields; none if a quote stays open or a stray line break is in it.
std::int64_t field_count(std::string_view line) {
  std::int64_t count = 1;
  bool quoted = false;
  for (const char c : line) {
    if (c == '\r') return 0;
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) ++count;
  }
  return quoted ? 0 : count;
}

// The rows of a bundle of an older schema, in the columns of today.
std::string upgraded_rows(const std::string& rows, std::span<const std::string_view> stored, std::span<const ColumnInfo> columns) {
  std::string upgraded;
  for (std::size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1)
    upgraded += upgraded_row(std::string_view(rows).substr(at, rows.find('\n', at) - at), stored, columns) + '\n';
  return upgraded;
}

Outcome outcome_named(std::string_view name, const Reader& reader) {
  for (const Outcome outcome : kOutcomes)
    if (to_string(outcome) == name) return outcome;
  reader.fail("unknown outcome \"" + std::string(name.substr(0, 40)) + "\"");
}

// The bytes that the checksum in the last line vouches for.
std::string_view checked_body(std::string_view bytes, const std::string& name) {
  constexpr std::size_t kTail = kChecksum.size() + 16 + 1;
  const bool has_tail = bytes.size() > kTail && bytes.back() == '\n' && bytes.substr(bytes.size() - kTail).starts_with(kChecksum);
  if (!has_tail) throw io_error(name + ": truncated or no bundle: its last line is not a checksum");
  const std::string_view body = bytes.substr(0, bytes.size() - kTail);
  const std::string_view written = bytes.substr(body.size() + kChecksum.size(), 16);
  if (hash_text(body) != written) throw io_error(name + ": damaged: its checksum does not match");
  return body;
}

void read_header(Reader& reader, const std::string& name, Bundle& bundle) {
  bundle.provenance.schema = reader.count(reader.entry(kMagic));
  if (bundle.provenance.schema < kOldestSchema || bundle.provenance.schema > kSchema)
    throw usage_error(name + ": has schema " + std::to_string(bundle.provenance.schema) + ", this program reads schemas " +
                      std::to_string(kOldestSchema) + " to " + std::to_string(kSchema));
  bundle.run_id = with_letter(reader.entry("run_id"));
  bundle.provenance.build = reader.entry("build");
  bundle.provenance.isa = reader.entry("isa");
  bundle.provenance.libraries = reader.entry("libraries");
  bundle.provenance.backend = reader.entry("backend");
  bundle.outcome = outcome_named(reader.entry("outcome"), reader);
  if (bundle.provenance.schema < kSchemaOfInputs) return;
  reader.lines(reader.count(reader.entry("inputs")), [&](std::string_view line) {
    const std::size_t first = line.find(' '), second = line.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) reader.fail("expected hash, bytes and path of an input file");
    const std::int64_t bytes = reader.count(line.substr(first + 1, second - first - 1));
    bundle.provenance.inputs.push_back({.path = unescaped(line.substr(second + 1)),
                                        .bytes = static_cast<std::uint64_t>(bytes),
                                        .hash = std::string(line.substr(0, first))});
  });
}

void read_table(Reader& reader, Bundle& bundle) {
  const std::string_view title = reader.entry("table");
  const std::size_t space = title.find(' ');
  if (space == std::string_view::npos) reader.fail("a table has no row count");
  const std::string table(title.substr(0, space));
  const std::vector<std::string_view> stored = stored_columns(table, bundle.provenance.schema);
  const auto columns = std::ssize(stored);
  if (std::ranges::find(run_tables(), table) == run_tables().end()) reader.fail("unknown table");
  if (bundle.tables.contains(table)) reader.fail("table " + table + " stands there twice");
  bundle.tables[table] = reader.lines(reader.count(title.substr(space + 1)), [&](std::string_view line) {
    if (field_count(line) != columns)
      reader.fail("a row of " + table + " has " + std::to_string(field_count(line)) + " fields, not " + std::to_string(columns));
  });
  if (bundle.provenance.schema < kSchema) bundle.tables[table] = upgraded_rows(bundle.tables[table], stored, bundle_columns(table));
}

// Tables that an older schema did not have are empty.
void check_tables(Bundle& bundle, const Reader& reader) {
  for (const std::string& table : run_tables())
    if (stored_columns(table, bundle.provenance.schema).empty()) bundle.tables.try_emplace(table);
  for (const std::string& table : run_tables())
    if (!bundle.tables.contains(table)) reader.fail("has no table " + table);
  const std::string& runs = bundle.tables.at("runs");
  if (line_count(runs) != 1) reader.fail("table runs must have one row");
  if (!runs.starts_with(std::string(to_string(bundle.outcome)) + ",")) reader.fail("table runs and the header differ in outcome");
}

}  // namespace

Bundle make_bundle(const Config& config, const Provenance& provenance, const RunReport& report, std::string_view host,
                   std::int64_t threads) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Bundle bundle;
  bundle.run_id = run_id(config);
  bundle.configuration = canonical_text(config);
  bundle.provenance = provenance;
  bundle.outcome = report.summary.outcome;
  bundle.tables["runs"] = rows_text(std::span(&report.summary, 1));
  TableWriter writer{bundle.tables};
  report.visit_tables(writer);
  const double output_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  bundle.tables["timings"] = timings_rows(report, output_seconds, host, threads);
  return bundle;
}

std::string encode_bundle(const Bundle& bundle) {
  std::string out;
  append_entry(out, kMagic, std::to_string(bundle.provenance.schema));
  append_entry(out, "run_id", bundle.run_id);
  append_entry(out, "build", bundle.provenance.build);
  append_entry(out, "isa", bundle.provenance.isa);
  append_entry(out, "libraries", bundle.provenance.libraries);
  append_entry(out, "backend", bundle.provenance.backend);
  append_entry(out, "outcome", to_string(bundle.outcome));
  if (bundle.provenance.schema >= kSchemaOfInputs) append_section(out, "inputs", input_lines(bundle.provenance.inputs));
  append_section(out, "configuration", bundle.configuration);
  for (const auto& [table, rows] : bundle.tables) append_section(out, "table " + table, rows);
  const std::string checksum = hash_text(out);
  return out.append(kChecksum).append(checksum).append("\n");
}

Bundle decode_bundle(std::string_view bytes, const std::string& name) {
  Reader reader(checked_body(bytes, name), name);
  Bundle bundle;
  read_header(reader, name, bundle);
  bundle.configuration = reader.lines(reader.count(reader.entry("configuration")), [](std::string_view) {});
  while (!reader.at_end()) read_table(reader, bundle);
  check_tables(bundle, reader);
  return bundle;
}

}  // namespace vp
