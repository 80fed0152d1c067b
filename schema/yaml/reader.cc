// SPDX-License-Identifier: MIT
// Builds nodes from yaml-cpp's events; the only file that knows yaml-cpp, and that catches its
// exceptions.
#include "schema/yaml/reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>
#include <unordered_set>

#include "schema/text.h"
#include "schema/yaml/source_check.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxProblems = 100;

/// Ends the parse from inside an event; caught in this file, like yaml-cpp's own.
struct Refused {
  YamlProblem problem;
};

/// A container that is still open, and the state of its current entry.
struct Open {
  Node node;
  bool has_key = false;  ///< a map whose next value belongs to `key`
  std::string key;
  Mark key_mark;
  std::unordered_set<std::string> keys;  ///< of a map
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, YamlDocuments& out) : text_(text), out_(out) {
    for (char c : text)
      if (static_cast<unsigned char>(c) >= 0x80) ascii_ = false;
  }

  /// The innermost container that is open; for errors that yaml-cpp places at the end of the file.
  const Node* innermost() const { return open_.empty() ? nullptr : &open_.back().node; }
  /// A quoted scalar of several lines, the usual suspect when what follows makes no sense.
  Mark long_quote() const { return long_quote_; }
  std::uint32_t long_quote_end() const { return long_quote_end_; }
  std::uint32_t last_scalar_line() const { return last_scalar_line_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    open_.clear();
    // Before a "," or "]" that nothing has opened yaml-cpp finds empty documents for ever.
    if (mark.pos == document_position_)
      refuse(Code::Syntax, convert(mark),
             "the YAML cannot be read: nothing has opened what is here",
             "quote a text that starts with one of , ] }");
    document_position_ = mark.pos;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = start(mark, anchor);
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(Code::Alias, convert(mark), "aliases are not read",
           "write the value out; quote a text that starts with *");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node;
    node.kind = Node::Kind::Scalar;
    node.mark = start(mark, anchor);
    node.style = tag == "?" ? Node::Style::Plain : Node::Style::Quoted;
    if (tag != "?" && tag != "!") check_tag(tag, "str", node.mark);
    if (node.style == Node::Style::Quoted) check_quotes(mark, node.mark);
    node.text = value;
    last_scalar_line_ = node.mark.line;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    push(Node::Kind::Sequence, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    push(Node::Kind::Map, mark, tag, anchor);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapEnd() override { pop(); }

 private:
  [[noreturn]] static void refuse(Code code, Mark mark, std::string message, std::string hint) {
    throw Refused{{code, mark, std::move(message), std::move(hint)}};
  }

  Mark convert(const YAML::Mark& mark) const {
    auto column = static_cast<std::uint32_t>(mark.column);
    auto position = static_cast<std::size_t>(mark.pos);
    // yaml-cpp counts octets. Very long lines keep octets: counting each from its start would be
    // quadratic.
    if (!ascii_ && column < 4096 && position <= text_.size() && column <= position) {
      std::uint32_t characters = 0;
      for (std::size_t i = position - column; i < position; ++i)
        if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++characters;
      column = characters;
    }
    return {static_cast<std::uint32_t>(mark.line) + 1, column + 1};
  }

  /// What every value must keep to, whatever it is.
  Mark start(const YAML::Mark& mark, YAML::anchor_t anchor) {
    Mark place = convert(mark);
    if (anchor != 0)
      refuse(Code::Alias, place, "anchors are not read",
             "write the value out; quote a text that starts with &");
    if (place.line != checked_line_ && indented_with_tab(text_, static_cast<std::size_t>(mark.pos)))
      refuse(Code::Tab, {place.line, 1}, "the line is indented with a tab", "indent with spaces");
    checked_line_ = place.line;
    if (++nodes_ > kMaxNodes)
      refuse(Code::TooManyNodes, place,
             fmt::format("the file holds more than {} values", kMaxNodes), "split it");
    return place;
  }

  static void check_tag(const std::string& tag, std::string_view expected, Mark mark) {
    if (tag == fmt::format("tag:yaml.org,2002:{}", expected)) return;
    refuse(Code::Tag, mark, fmt::format("the tag {} is not read here", in_quotes(tag)),
           "remove it; quote a value to make it text");
  }

  void check_quotes(const YAML::Mark& mark, Mark place) {
    auto position = static_cast<std::size_t>(mark.pos);
    std::size_t end = end_of_quoted(text_, position);
    if (end == std::string_view::npos)
      refuse(Code::UnterminatedQuote, place, "the quote that opens here is never closed",
             "close it on the same line");
    std::uint32_t lines = 0;
    for (std::size_t i = position; i < end; ++i) lines += text_[i] == '\n' ? 1U : 0U;
    if (lines == 0) return;
    long_quote_ = place;
    long_quote_end_ = place.line + lines;
  }

  void push(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    Open container;
    container.node.kind = kind;
    container.node.mark = start(mark, anchor);
    if (tag != "?" && tag != "!" && !tag.empty())
      check_tag(tag, kind == Node::Kind::Map ? "map" : "seq", container.node.mark);
    if (open_.size() >= kMaxDepth)
      refuse(Code::TooDeep, container.node.mark,
             fmt::format("maps and lists are nested more than {} deep", kMaxDepth), "");
    expect_value_or_text_key(container.node);
    open_.push_back(std::move(container));
  }

  void pop() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    attach(std::move(node));
  }

  /// A container or nothing may be a value, never a key.
  void expect_value_or_text_key(const Node& node) const {
    if (open_.empty()) return;
    const Open& parent = open_.back();
    if (!parent.node.is_map() || parent.has_key) return;
    if (node.kind == Node::Kind::Scalar) return;
    refuse(Code::KeyNotText, node.mark, fmt::format("a key is text, not {}", describe(node)),
           "is a bracket before it not closed, or a text that starts with { or [ not quoted?");
  }

  void add(Node node) {
    expect_value_or_text_key(node);
    bool is_key = !open_.empty() && open_.back().node.is_map() && !open_.back().has_key;
    if (!is_key) return attach(std::move(node));
    Open& parent = open_.back();
    if (!parent.keys.insert(node.text).second) {
      // Finding the first one is linear: not for each of a hundred thousand.
      if (out_.problems.size() >= kMaxProblems)
        refuse(Code::DuplicateKey, node.mark, "too many keys occur twice", "");
      const Node* first = parent.node.find(node.text);
      std::uint32_t line = first == nullptr ? node.mark.line : first->key_mark.line;
      out_.problems.push_back({Code::DuplicateKey, node.mark,
                               fmt::format("the key {} occurs twice", in_quotes(node.text)),
                               fmt::format("the first one is in line {}", line)});
    }
    parent.has_key = true;
    parent.key = std::move(node.text);
    parent.key_mark = node.mark;
  }

  void attach(Node node) {
    if (open_.empty()) return finish(std::move(node));
    Open& parent = open_.back();
    if (parent.node.is_map()) {
      node.key = std::move(parent.key);
      node.key_mark = parent.key_mark;
      parent.has_key = false;
    }
    parent.node.children.push_back(std::move(node));
  }

  void finish(Node node) {
    if (node.kind == Node::Kind::Null) return;
    if (!node.is_map()) {
      out_.problems.push_back({Code::NotAMap, node.mark,
                               fmt::format("a document is a map, not {}", describe(node)),
                               "a resource has apiVersion, kind, metadata and spec"});
      return;
    }
    out_.documents.push_back(std::move(node));
  }

  std::string_view text_;
  YamlDocuments& out_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  std::uint32_t checked_line_ = 0;
  bool ascii_ = true;
  Mark long_quote_;
  std::uint32_t long_quote_end_ = 0;
  std::uint32_t last_scalar_line_ = 0;
  int document_position_ = -1;
};

/// Reads from a view without a copy.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string& text) {
    setg(text.data(), text.data(), text.data() + text.size());
  }
};

YamlProblem explain(const YAML::Exception& exception, std::string_view text,
                    const Builder& builder) {
  YamlProblem problem;
  bool known = exception.mark.pos >= 0 && exception.mark.line >= 0;
  auto position = known ? static_cast<std::size_t>(exception.mark.pos) : text.size();
  problem.mark = mark_at(text, position);
  problem.message = fmt::format("the YAML cannot be read: {}", exception.msg);
  std::string_view what = exception.msg;
  auto says = [&](std::string_view part) { return what.find(part) != std::string_view::npos; };
  if (indented_with_tab(text, position)) {
    problem.code = Code::Tab;
    problem.mark.column = 1;
    problem.message = "the line is indented with a tab";
    problem.hint = "indent with spaces";
  } else if (says("anchor")) {
    problem.code = Code::Alias;
    problem.message = "anchors and aliases are not read";
    problem.hint = "write the value out; quote a text that starts with * or &";
  } else if (says("in scalar") && says("illegal")) {
    problem.code = Code::UnterminatedQuote;
    problem.message = "a quote is not closed before this line";
    problem.hint = "close it on the line where it opens";
  } else if (says("flow not found") && builder.innermost() != nullptr) {
    problem.mark = builder.innermost()->mark;
    problem.message = "the bracket that opens here is not closed, or a comma is missing in it";
  } else if (builder.long_quote().line != 0 && builder.long_quote_end() == problem.mark.line) {
    problem.hint =
        fmt::format("the quote that opens in line {} closes in this line: is one missing?",
                    builder.long_quote().line);
  } else if (says("illegal map value")) {
    // Text that goes on in the next line is one scalar: a key there was meant to stand further
    // left.
    problem.hint = builder.last_scalar_line() < problem.mark.line
                       ? "is the line indented like the ones before it?"
                       : "quote a value that contains \": \"";
  } else if (says("unknown token")) {
    problem.hint = "quote a value that starts with @, ` or %, or that contains ? within { } or [ ]";
  } else if (says("end of map not found") || says("end of sequence not found")) {
    problem.hint = "is the line indented like the ones before it?";
  }
  return problem;
}

}  // namespace

YamlDocuments read_yaml(std::string_view text) {
  YamlDocuments out;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (std::optional<YamlProblem> problem = check_octets(text)) {
    out.problems.push_back(std::move(*problem));
    return out;
  }
  // With a newline at its end an unterminated quote reaches check_quotes, which knows where it
  // opened.
  std::string source(text);
  source += '\n';
  Builder builder(source, out);
  try {
    ViewBuffer buffer(source);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    out.problems.push_back(refused.problem);
  } catch (const YAML::Exception& exception) {
    out.problems.push_back(explain(exception, source, builder));
  } catch (const std::exception& exception) {
    // yaml-cpp converts numbers of directives by the standard library.
    out.problems.push_back(
        {Code::Syntax, {1, 1}, fmt::format("the YAML cannot be read: {}", exception.what()), ""});
  }
  return out;
}

}  // namespace headgate::schema
