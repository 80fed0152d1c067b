// SPDX-License-Identifier: MIT
// Reads cases as the project's own test driver does: what it adds to a request is added here.
#include "tests/crs/case.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"

namespace headgate::crs_test {
namespace {

namespace text = guard::waf::text;

std::string* find_header(WireRequest& request, std::string_view name) {
  for (auto& [known, value] : request.headers) {
    if (http::equals_ignoring_case(known, name)) return &value;
  }
  return nullptr;
}

std::string scalar_or_lines(const YAML::Node& node) {
  if (!node.IsSequence()) return node.IsNull() ? "" : node.as<std::string>();
  std::string joined;
  for (const auto& line : node) {
    if (!joined.empty()) joined += "\r\n";
    joined += line.as<std::string>();
  }
  return joined;
}

std::string url_encoded(std::string_view value) {
  constexpr std::string_view kSafe = "_.-~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    if (text::is_alnum(c) || kSafe.find(c) != std::string_view::npos) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

// A form that is not encoded yet is; pairs without a value are dropped, as the driver's library
// does.
std::string encode_form(const std::string& data) {
  std::string decoded;
  if (data.find('%') != std::string::npos) {
    text::url_decode(data, decoded);
    std::string pluses = data;
    std::replace(pluses.begin(), pluses.end(), '+', ' ');
    if (decoded != pluses) return data;
  }
  std::string out;
  for (std::string_view rest = data; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals + 1 == pair.size()) continue;
    std::string name;
    std::string value;
    text::url_decode(pair.substr(0, equals), name);
    text::url_decode(pair.substr(equals + 1), value);
    if (!out.empty()) out += '&';
    out += url_encoded(name) + "=" + url_encoded(value);
  }
  return out.empty() ? data : out;
}

WireRequest read_request(const YAML::Node& input) {
  for (const char* key : {"encoded_request", "raw_request"}) {
    if (!input[key]) continue;
    std::string octets = input[key].as<std::string>();
    if (key == std::string_view("encoded_request")) {
      std::string decoded;
      text::base64_decode(octets, decoded);
      octets = decoded;
    }
    return parse_wire(octets);
  }
  WireRequest request;
  if (input["method"]) request.method = input["method"].as<std::string>();
  if (input["uri"]) request.target = input["uri"].as<std::string>();
  if (input["version"]) request.protocol = scalar_or_lines(input["version"]);
  for (const auto& header : input["headers"])
    request.headers.emplace_back(header.first.as<std::string>(), scalar_or_lines(header.second));
  if (input["data"]) request.body = scalar_or_lines(input["data"]);
  const bool magic = !input["stop_magic"] || !input["stop_magic"].as<bool>();
  if (magic && !request.body.empty()) {
    if (find_header(request, "content-type") == nullptr)
      request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    if (*find_header(request, "content-type") == "application/x-www-form-urlencoded")
      request.body = encode_form(request.body);
    if (find_header(request, "content-length") == nullptr)
      request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  }
  return request;
}

// 'id "920100"' to 920100.
std::string rule_id(const YAML::Node& node) {
  if (!node) return "";
  const std::string pattern = scalar_or_lines(node);
  std::string digits;
  for (const char c : pattern) {
    if (text::is_digit(c)) digits += c;
    if (!text::is_digit(c) && digits.size() >= 6) break;
    if (!text::is_digit(c)) digits.clear();
  }
  return digits;
}

// What no server accepts (RFC 9112): checked here so that cases about it are counted as such.
bool well_formed(WireRequest& request) {
  if (!http::is_token(request.method) || request.target.empty()) return false;
  for (const char c : request.target) {
    if (c <= ' ' || c == '\x7f') return false;
  }
  std::string digits = request.protocol;
  if (digits.size() != 8 || !digits.starts_with("HTTP/1.")) return false;
  int hosts = 0;
  if (find_header(request, "content-length") != nullptr &&
      find_header(request, "transfer-encoding") != nullptr)
    return false;
  for (const auto& [name, value] : request.headers) {
    if (!http::is_token(name)) return false;
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) return false;
    if (http::equals_ignoring_case(name, "host")) ++hosts;
    if (http::equals_ignoring_case(name, "content-length") &&
        (value.empty() || value.find_first_not_of("0123456789") != std::string::npos))
      return false;
  }
  return hosts <= 1 && (hosts == 1 || request.protocol != "HTTP/1.1");
}

}  // namespace

WireRequest parse_wire(const std::string& octets) {
  WireRequest request;
  std::string_view rest = octets;
  const auto line = [&rest] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view found = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
  };
  const std::string_view first = line();
  const std::size_t space = first.find(' ');
  const std::size_t last = first.rfind(' ');
  request.method = first.substr(0, space);
  request.protocol = "";
  request.target = "";
  if (space != std::string_view::npos) {
    request.target = first.substr(space + 1, last > space ? last - space - 1 : last);
    if (last > space) request.protocol = first.substr(last + 1);
  }
  while (!rest.empty()) {
    const std::string_view field = line();
    if (field.empty()) break;
    const std::size_t colon = std::min(field.find(':'), field.size());
    request.headers.emplace_back(field.substr(0, colon),
                                 http::trim(field.substr(std::min(colon + 1, field.size()))));
  }
  request.body = rest;
  return request;
}

std::vector<Case> read_cases(const std::string& path) {
  std::vector<Case> cases;
  const YAML::Node file = YAML::LoadFile(path);
  for (const auto& test : file["tests"]) {
    for (const auto& stage : test["stages"]) {
      const YAML::Node inner = stage["stage"] ? stage["stage"] : stage;
      const YAML::Node output = inner["output"];
      Case one;
      one.title = test["test_title"].as<std::string>();
      one.request = read_request(inner["input"]);
      one.request.well_formed = well_formed(one.request);
      one.expected = rule_id(output["log_contains"]);
      one.unexpected = rule_id(output["no_log_contains"]);
      one.by_status = one.expected.empty() && one.unexpected.empty();
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

}  // namespace headgate::crs_test
