// SPDX-License-Identifier: MIT
#include "appliance/admin/cloudfront/xml.h"

#include <algorithm>
#include <charconv>

namespace headgate::admin {
namespace {

constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxElements = 10'000;
constexpr std::string_view kSpace = " \t\r\n";

bool is_name_char(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return octet >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' || c == ':';
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t octet) { out += static_cast<char>(octet); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

bool is_xml_character(std::uint32_t code) {
  return code == 9 || code == 10 || code == 13 || (code >= 0x20 && code < 0xD800) ||
         (code >= 0xE000 && code <= 0x10FFFF && code != 0xFFFE && code != 0xFFFF);
}

/// Recursive descent; `problem_` is set once, and then everything returns false.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<XmlElement> run() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    XmlElement root;
    if (rest_.starts_with("<?xml")) skip_past("?>");
    if (skip_space_and_comments() && element(root, 1) && skip_space_and_comments() &&
        !rest_.empty())
      refuse("something follows the root element");
    if (!problem_.empty()) return fail(Blame::Client, "{}", problem_);
    return root;
  }

 private:
  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool skip_past(std::string_view text) {
    const auto at = rest_.find(text);
    if (at == std::string_view::npos) return refuse("the document ends too early");
    rest_.remove_prefix(at + text.size());
    return true;
  }
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
  }
  bool skip_space_and_comments() {
    for (skip_space(); rest_.starts_with("<!--"); skip_space())
      if (!skip_past("-->")) return false;
    return problem_.empty();
  }
  bool name(std::string& out) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_name_char);
    out.assign(rest_.begin(), end);
    rest_.remove_prefix(out.size());
    if (const auto colon = out.find(':'); colon != std::string::npos) out.erase(0, colon + 1);
    return !out.empty() || refuse("a name is missing");
  }
  bool attribute() {
    std::string ignored;
    if (!name(ignored)) return false;
    skip_space();
    if (!take("=")) return refuse("an attribute has no value");
    skip_space();
    for (const char* quote : {"\"", "'"})
      if (take(quote)) return skip_past(quote);
    return refuse("the value of an attribute is not in quotes");
  }
  /// After the name of a start tag. `open`: it has content.
  bool rest_of_start_tag(bool& open) {
    for (skip_space(); !rest_.empty(); skip_space()) {
      open = rest_.front() == '>';
      if (take(">") || take("/>")) return true;
      if (!attribute()) return false;
    }
    return refuse("the document ends too early");
  }
  bool element(XmlElement& out, int depth) {
    if (rest_.starts_with("<!")) return refuse("a DOCTYPE or CDATA is not accepted");
    if (!take("<")) return refuse("an element is missing");
    if (depth > kMaxDepth || ++elements_ > kMaxElements)
      return refuse("there are too many elements");
    bool open = false;
    if (!name(out.name) || !rest_of_start_tag(open)) return false;
    return !open || content(out, depth);
  }
  bool content(XmlElement& out, int depth) {
    while (!rest_.empty()) {
      if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (take("</")) {
        return end_tag(out.name);
      } else if (rest_.front() == '<') {
        if (!element(out.children.emplace_back(), depth + 1)) return false;
      } else if (take("&")) {
        if (!reference(out.text)) return false;
      } else {
        out.text += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    return refuse("the document ends too early");
  }
  bool end_tag(const std::string& expected) {
    std::string given;
    if (!name(given)) return false;
    skip_space();
    return (given == expected && take(">")) || refuse("an end tag does not match");
  }
  bool reference(std::string& out) {
    const auto end = rest_.substr(0, 12).find(';');
    if (end == std::string_view::npos) return refuse("a reference has no end");
    const std::string_view given = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    constexpr std::pair<std::string_view, char> kNamed[] = {
        {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [entity, character] : kNamed)
      if (given == entity) {
        out += character;
        return true;
      }
    return numeric(given, out) || refuse("an unknown reference");
  }
  static bool numeric(std::string_view given, std::string& out) {
    if (!given.starts_with('#')) return false;
    given.remove_prefix(1);
    const bool hex = given.starts_with('x');
    if (hex) given.remove_prefix(1);
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(given.data(), given.data() + given.size(), code, hex ? 16 : 10);
    if (given.empty() || error != std::errc{} || end != given.data() + given.size() ||
        !is_xml_character(code))
      return false;
    append_utf8(out, code);
    return true;
  }

  std::string_view rest_;
  std::size_t elements_ = 0;
  std::string problem_;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view child) const {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const XmlElement& element) { return element.name == child; });
  return found == children.end() ? nullptr : &*found;
}

Result<XmlElement> parse_xml(std::string_view text) { return Parser(text).run(); }

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '\t':
      case '\n':
      case '\r':
        out += c;
        break;
      default:
        out +=
            static_cast<unsigned char>(c) < 0x20 ? std::string("\xEF\xBF\xBD") : std::string(1, c);
    }
  }
  return out;
}

}  // namespace headgate::admin
