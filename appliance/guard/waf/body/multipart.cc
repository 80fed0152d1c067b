// SPDX-License-Identifier: MIT
// multipart/form-data, line by line.
#include <fmt/format.h>

#include <string>

#include "appliance/guard/waf/body/boundary.h"
#include "appliance/guard/waf/body/disposition.h"
#include "appliance/guard/waf/body/parsers.h"
#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

constexpr std::size_t kLongestHeaderLine = 4096;
constexpr std::size_t kHeadersOfPart = 4;  // on an average

// States: before the first boundary; in a part's header; in its data; behind the last boundary.
class Form {
 public:
  Form(std::string_view boundary, const BodyLimits& limits, Arena& arena, BodyContent& content)
      : boundary_(boundary), limits_(limits), arena_(arena), content_(content) {}

  void parse(std::string_view text, bool whole) {
    while (!text.empty() && state_ != State::Behind) {
      const std::size_t newline = text.find('\n');
      const std::size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
      line(text.substr(0, size));
      text.remove_prefix(size);
    }
    if (state_ == State::Behind) {
      if (!text.empty()) content_.multipart_strict_error = true;
      return;
    }
    // An unfinished part counts: what reads the body may well take it.
    if (state_ != State::Before) finish_part();
    if (whole) fail(boundaries_ == 0 ? "no boundary in the body" : "the last boundary is missing");
  }

 private:
  enum class State { Before, Header, Data, Behind };

  void fail(std::string_view why) {
    content_.multipart_strict_error = true;
    if (content_.error.empty()) content_.error = fmt::format("multipart: {}", why);
  }

  void line(std::string_view octets) {
    if (is_boundary(octets)) return;
    if (state_ == State::Before) {
      content_.multipart_strict_error = true;
    } else if (state_ == State::Header) {
      header_line(octets);
    } else {
      if (value_.empty()) value_ = octets.substr(0, 0);
      value_ = std::string_view(value_.data(), value_.size() + octets.size());
    }
  }

  // Whether the line is a boundary of ours; notes what looks like one and is not.
  bool is_boundary(std::string_view octets) {
    if (!octets.starts_with("--")) {
      note_boundary_within(octets);
      return false;
    }
    std::string_view rest = octets.substr(2);
    if (!rest.starts_with(boundary_)) {
      while (!rest.empty() && text::is_space(rest.front())) rest.remove_prefix(1);
      if (rest.size() + 2 < octets.size() && rest.starts_with(boundary_))
        fail("white space before a boundary");
      if (content_.multipart_unmatched_boundary == 0) content_.multipart_unmatched_boundary = 1;
      return false;
    }
    rest.remove_prefix(boundary_.size());
    const bool last = rest.starts_with("--");
    if (last) rest.remove_prefix(2);
    // RFC 2046 section 5.1.1: transport-padding.
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) {
      content_.multipart_strict_error = true;
      rest.remove_prefix(1);
    }
    const bool ends = rest == "\r\n" || rest == "\n" || (rest.empty() && last);
    if (!ends) {
      fail("text behind a boundary");
      return false;
    }
    if (rest == "\n") content_.multipart_strict_error = true;
    if (state_ != State::Before) finish_part();
    ++boundaries_;
    state_ = last ? State::Behind : State::Header;
    return true;
  }

  void note_boundary_within(std::string_view octets) {
    for (std::size_t at = octets.find("--"); at != std::string_view::npos;
         at = octets.find("--", at + 1)) {
      if (octets.substr(at + 2).starts_with(boundary_)) {
        content_.multipart_unmatched_boundary = 1;
        return;
      }
    }
  }

  void header_line(std::string_view octets) {
    if (octets.size() > kLongestHeaderLine) fail("a header line of a part is too long");
    if (octets.find('\0') != std::string_view::npos) fail("a NUL octet in a part's header");
    if (octets.ends_with('\n')) octets.remove_suffix(1);
    if (octets.ends_with('\r')) {
      octets.remove_suffix(1);
    } else {
      content_.multipart_strict_error = true;
    }
    if (octets.empty()) {
      end_header();
    } else if (text::is_space(octets.front())) {
      fold(octets);
    } else {
      start_header(octets);
    }
  }

  void start_header(std::string_view octets) {
    record_header();
    const std::size_t colon = octets.find(':');
    if (colon == std::string_view::npos || colon == 0) return fail("a header line without a name");
    header_ = octets;
    header_name_size_ = colon;
  }

  void fold(std::string_view octets) {
    content_.multipart_strict_error = true;
    if (header_.empty()) return fail("a folded header line without a first");
    header_ += ' ';
    header_ += http::trim(octets);
  }

  // The header line that is complete now.
  void record_header() {
    if (header_.empty()) return;
    const std::string_view name = std::string_view(header_).substr(0, header_name_size_);
    if (http::equals_ignoring_case(name, "content-disposition")) {
      const auto value = http::trim(std::string_view(header_).substr(header_name_size_ + 1));
      if (disposed_) fail("two Content-Dispositions of a part");
      if (!disposed_) disposition_ = parse_disposition(value);
      disposed_ = true;
    }
    header_lines_.push_back(arena_.persist(header_));
    header_.clear();
  }

  void end_header() {
    record_header();
    if (!disposed_) fail("a part without Content-Disposition");
    if (disposition_.invalid_quoting || disposition_.unusual)
      content_.multipart_strict_error = true;
    if (!disposition_.error.empty()) fail(disposition_.error);
    if (disposed_ && disposition_.name.empty()) fail("a part without a name");
    state_ = State::Data;
  }

  // Takes the line break off that belongs to the boundary behind the data.
  void finish_part() {
    if (state_ == State::Header) record_header();
    if (value_.ends_with('\n')) value_.remove_suffix(1);
    if (value_.ends_with('\r')) value_.remove_suffix(1);
    const std::string_view name = arena_.persist(disposition_.name);
    if (content_.arguments.size() + content_.files.size() >= limits_.arguments) {
      content_.too_many_arguments = true;
    } else {
      add_part(name);
    }
    for (const std::string_view header : header_lines_) {
      if (content_.part_headers.size() >= limits_.arguments * kHeadersOfPart) {
        content_.too_many_arguments = true;
        break;
      }
      content_.part_headers.push_back({name, header});
    }
    if (name.empty()) content_.multipart_strict_error = true;
    disposition_ = Disposition();
    disposed_ = false;
    header_lines_.clear();
    value_ = {};
  }

  // Receivers disagree about whether a part with an empty file name is a file: it is both here.
  void add_part(std::string_view name) {
    if (disposition_.has_filename) {
      content_.files.push_back({name, arena_.persist(disposition_.filename)});
      content_.file_octets += value_.size();
      if (!disposition_.filename.empty()) return;
    }
    if (!name.empty() || !value_.empty()) content_.arguments.push_back({name, value_});
  }

  const std::string_view boundary_;
  const BodyLimits& limits_;
  Arena& arena_;
  BodyContent& content_;
  State state_ = State::Before;
  std::size_t boundaries_ = 0;
  std::string header_;  ///< the line that may be folded yet
  std::size_t header_name_size_ = 0;
  std::vector<std::string_view> header_lines_;
  Disposition disposition_;
  bool disposed_ = false;
  std::string_view value_;  ///< its lines stand one behind the other in the text
};

}  // namespace

void parse_multipart(std::string_view text, std::string_view content_type, bool whole,
                     const BodyLimits& limits, Arena& arena, BodyContent& content) {
  const Boundary boundary = find_boundary(content_type);
  if (!boundary.strict) content.multipart_strict_error = true;
  if (boundary.text.empty()) {
    content.error = "multipart: " + boundary.error;
    return;
  }
  Form form(boundary.text, limits, arena, content);
  form.parse(text, whole);
}

}  // namespace headgate::guard::waf
