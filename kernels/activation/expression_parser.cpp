// Recursive descent over the grammar of expression.h; recursion ends at kMaxDepth.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

#include "kernels/activation/expression.h"
#include "kernels/activation/expression_program.h"

namespace vp {
namespace {

using enum ExpressionOp;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The byte as a message may show it.
std::string quoted(char c) {
  if (c > ' ' && c < 0x7f) return std::string("\"") + c + '"';
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Expression> run() {
    if (text_.size() > Expression::kMaxBytes) return fail(Expression::kMaxBytes, "too long: at most 1000 characters"), std::nullopt;
    const Node root = sum();
    if (!failed_ && peek() != '\0') fail_at_surplus();
    if (failed_) return std::nullopt;
    if (builder_.constant_of(root)) return fail(first(), "the formula does not depend on x"), std::nullopt;
    auto result = builder_.finish(root, std::string(text_));
    if (!result) fail(first(), builder_.problem());
    return result;
  }
  const ExpressionError& error() const { return error_; }

 private:
  using Node = ExpressionNode;

  // Counts how deep the recursion is.
  class Level {
   public:
    explicit Level(Parser& p) : p_(p) {
      if (++p_.depth_ > Expression::kMaxDepth) p_.fail(p_.at_, "nested deeper than 64 levels");
    }
    ~Level() { --p_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& p_;
  };

  // The first fault stands; after it every function returns at once.
  Node fail(std::size_t position, std::string what, std::string name = "") {
    if (!failed_) error_ = {position, std::move(what), std::move(name)};
    failed_ = true;
    return ExpressionBuilder::kX;
  }

  std::size_t first() const {
    const std::size_t at = text_.find_first_not_of(" \t");
    return at == std::string_view::npos ? 0 : at;
  }

  // The next byte that is not blank; 0 at the end, and after a fault.
  char peek() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (failed_ || at_ == text_.size()) return '\0';
    if (text_[at_] == '\0') fail(at_, "unexpected byte 0x00");
    return text_[at_];
  }
  bool take(char c) {
    if (c == '\0' || peek() != c) return false;
    ++at_;
    return true;
  }
  // A node is checked where it was made, so that the place of a bad constant is known.
  Node checked(std::size_t position, Node node) { return builder_.problem().empty() ? node : fail(position, builder_.problem()); }

  void fail_at_surplus() {
    const char c = text_[at_];
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == ')') {
      fail(at_, "\")\" without \"(\"");
    } else if (is_letter(c) || is_digit(c) || c == '(' || c == '.') {
      fail(at_, "an operator is missing; products are written 2*x");
    } else if (c == '<' || c == '>' || c == '=' || next == '=') {
      fail(at_, "there are no comparisons; max, min, abs and relu make pieces");
    } else {
      fail(at_, quoted(c) + " is not an operator; there are + - * / ^");
    }
  }

  Node sum() {
    Node left = product();
    for (char c = peek(); c == '+' || c == '-'; c = peek()) {
      const std::size_t position = at_++;
      const Node right = product();
      if (!failed_) left = checked(position, builder_.binary(c == '+' ? kAdd : kSubtract, left, right));
    }
    return left;
  }

  Node product() {
    Node left = with_sign();
    for (char c = peek(); c == '*' || c == '/'; c = peek()) {
      const std::size_t position = at_++;
      if (c == '*' && at_ < text_.size() && text_[at_] == '*') return fail(position, "powers are written with ^");
      const Node right = with_sign();
      if (!failed_) left = checked(position, builder_.binary(c == '*' ? kMultiply : kDivide, left, right));
    }
    return left;
  }

  Node with_sign() {
    const Level level(*this);
    if (failed_) return ExpressionBuilder::kX;
    if (!take('-')) return power();
    const Node operand = with_sign();
    return failed_ ? operand : builder_.unary(kNegate, operand);
  }

  Node power() {
    const Node base = primary();
    if (!take('^')) return base;
    const std::size_t position = at_ - 1;
    const Node exponent = with_sign();
    if (failed_) return base;
    const auto value = builder_.constant_of(exponent);
    if (!value) return fail(position, "an exponent is a constant; for others there is exp(... * log(...))");
    if (!(std::abs(*value) <= Expression::kMaxExponent)) return fail(position, "an exponent is at most 64 in magnitude");
    return checked(position, builder_.power(base, *value));
  }

  Node primary() {
    const char c = peek();
    if (failed_) return ExpressionBuilder::kX;
    if (is_digit(c) || c == '.') return number();
    if (is_letter(c)) return name();
    if (c != '(')
      return fail(at_, c == '\0' ? "the formula ends where a number, x, a function or \"(\" should stand"
                                 : quoted(c) + " stands where a number, x, a function or \"(\" should");
    const std::size_t open = at_++;
    const Node inside = sum();
    return close(open, inside);
  }

  Node close(std::size_t open, Node inside) {
    if (failed_ || take(')')) return inside;
    if (at_ < text_.size()) return fail_at_surplus_inside();
    return fail(open, "this \"(\" is not closed");
  }
  Node fail_at_surplus_inside() {
    if (text_[at_] == ',') return fail(at_, "\",\" stands where \")\" or an operator should");
    fail_at_surplus();
    return ExpressionBuilder::kX;
  }

  Node number() {
    double value = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), value);
    const std::size_t position = at_;
    if (code == std::errc::invalid_argument) return fail(position, "not a number");
    at_ += static_cast<std::size_t>(end - begin);
    const double size = std::abs(value);
    if (code != std::errc() || size > Expression::kMaxConstant || (size != 0 && size < 1 / Expression::kMaxConstant))
      return fail(position, "a number is 0 or from 1e-30 to 1e30 in magnitude");
    return checked(position, builder_.constant(value));
  }

  Node name() {
    const std::size_t position = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    const std::string_view word = text_.substr(position, at_ - position);
    if (word == "x") return ExpressionBuilder::kX;
    const auto functions = expression_functions();
    const auto* const end = functions.data() + functions.size();
    const auto* const f = std::find_if(functions.data(), end, [&](const ExpressionFunction& each) { return each.name == word; });
    const std::string shown = '"' + std::string(word.substr(0, 40)) + '"';
    if (f == end) {
      const bool called = peek() == '(';
      return fail(position, called ? "there is no function " + shown : "there is no variable " + shown + ", only x",
                  std::string(word.substr(0, 40)));
    }
    return call(*f, position);
  }

  Node call(const ExpressionFunction& f, std::size_t position) {
    const std::string shown(f.name);
    if (!take('(')) return fail(position, shown + " is a function: " + shown + (is_binary(f.op) ? "(a, b)" : "(...)"));
    const std::size_t open = at_ - 1;
    const Node a = sum();
    if (!is_binary(f.op)) {
      const Node inside = close(open, a);
      return failed_ ? inside : checked(position, builder_.unary(f.op, inside));
    }
    if (failed_) return a;
    if (!take(',')) return fail(position, shown + " takes two arguments: " + shown + "(a, b)");
    const Node b = close(open, sum());
    return failed_ ? b : checked(position, builder_.binary(f.op, a, b));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;
  ExpressionError error_;
  ExpressionBuilder builder_;
};

}  // namespace

std::optional<Expression> parse_expression(std::string_view text, ExpressionError& error) {
  Parser parser(text);
  auto result = parser.run();
  if (!result) error = parser.error();
  return result;
}

}  // namespace vp
