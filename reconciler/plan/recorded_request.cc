// SPDX-License-Identifier: MIT
#include "reconciler/plan/recorded_request.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestLine = 256 * 1024;

Result<Timestamp> time_of(const std::string& text) {
  if (text.empty()) return Timestamp{};
  return parse_timestamp(text);
}

void add_header(RecordedRequest& request, const char* name, std::string value) {
  if (!value.empty()) request.headers.emplace_back(name, std::move(value));
}

/// A member of a line of ours that is text; empty when it is missing.
std::string text(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<RecordedRequest> from_json(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return fail(Blame::Client, "not a JSON object");
  RecordedRequest request;
  request.method = text(json, "method");
  const std::string scheme = text(json, "scheme");
  const std::string host = text(json, "host");
  if (request.method.empty() || scheme.empty() || host.empty())
    return fail(Blame::Client, "no `method`, `scheme` and `host`");
  request.url = scheme + "://" + host + text(json, "target");
  HG_TRY(request.time, time_of(text(json, "time")), "`time`");
  request.client = text(json, "client");
  request.country = text(json, "country");
  add_header(request, "user-agent", text(json, "user_agent"));
  add_header(request, "referer", text(json, "referer"));
  if (const auto sent = json.find("bytes_sent"); sent != json.end() && sent->is_number_unsigned())
    request.bytes_sent = sent->get<std::uint64_t>();
  return request;
}

/// The fields of CloudFront's lines in the order that the `#Fields:` line gives.
class W3cLines {
 public:
  void read_directive(std::string_view line) {
    constexpr std::string_view kFields = "#Fields:";
    if (!line.starts_with(kFields)) return;
    positions_.clear();
    std::size_t position = 0;
    for (std::string_view rest = line.substr(kFields.size()); !rest.empty();) {
      const std::size_t begin = rest.find_first_not_of(" \t");
      if (begin == std::string_view::npos) break;
      rest.remove_prefix(begin);
      const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
      positions_.emplace(rest.substr(0, end), position++);
      rest.remove_prefix(end);
    }
  }

  Result<RecordedRequest> read(std::string_view line) {
    if (positions_.empty())
      return fail(Blame::Client, "not JSON, and no `#Fields:` line before it");
    values_.clear();
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      values_.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    RecordedRequest request;
    request.method = value("cs-method");
    const std::string scheme = value("cs-protocol");
    // The viewer's host; cs(Host) is the distribution's own name.
    std::string host = value("x-host-header");
    if (host.empty()) host = value("cs(Host)");
    if (request.method.empty() || host.empty())
      return fail(Blame::Client, "no `cs-method` and `x-host-header`");
    const std::string query = value("cs-uri-query");
    request.url = (scheme.starts_with("http") && !scheme.starts_with("https") ? "http" : "https") +
                  ("://" + host) + value("cs-uri-stem") + (query.empty() ? "" : "?" + query);
    if (const std::string date = value("date"); !date.empty()) {
      HG_TRY(request.time, time_of(date + "T" + value("time") + "Z"), "`date` and `time`");
    }
    request.client = value("c-ip");
    // They are percent-encoded once more, as spaces would end a field.
    add_header(request, "user-agent", percent_decode(value("cs(User-Agent)")));
    add_header(request, "referer", percent_decode(value("cs(Referer)")));
    add_header(request, "cookie", percent_decode(value("cs(Cookie)")));
    const std::string sent = value("sc-bytes");
    std::from_chars(sent.data(), sent.data() + sent.size(), request.bytes_sent);
    return request;
  }

 private:
  /// Empty for "-", and for what is not there.
  std::string value(const std::string& field) const {
    const auto found = positions_.find(field);
    if (found == positions_.end() || found->second >= values_.size() ||
        values_[found->second] == "-")
      return {};
    return std::string(values_[found->second]);
  }

  static std::string percent_decode(const std::string& encoded) {
    std::string out;
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      unsigned octet = 0;
      const char* digits = encoded.data() + i + 1;
      const bool is_triplet = encoded[i] == '%' && i + 2 < encoded.size() &&
                              std::from_chars(digits, digits + 2, octet, 16).ptr == digits + 2;
      out += is_triplet ? static_cast<char>(octet) : encoded[i];
      if (is_triplet) i += 2;
    }
    return out;
  }

  std::unordered_map<std::string, std::size_t> positions_;
  std::vector<std::string_view> values_;
};

}  // namespace

LogReport read_requests(std::istream& log,
                        const std::function<void(const RecordedRequest&)>& take) {
  LogReport report;
  W3cLines w3c;
  std::string line;
  for (std::uint64_t number = 1; std::getline(log, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    if (line.front() == '#') {
      w3c.read_directive(line);
      continue;
    }
    auto request = line.size() > kLongestLine
                       ? Result<RecordedRequest>(fail(Blame::Client, "longer than 256 KiB"))
                   : line.front() == '{' ? from_json(line)
                                         : w3c.read(line);
    if (request) {
      take(*request);
    } else if (report.skipped++ == 0) {
      report.first = number;
      report.first_problem = request.error().context;
    }
  }
  return report;
}

}  // namespace headgate::reconciler
