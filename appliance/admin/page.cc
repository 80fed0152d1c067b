// SPDX-License-Identifier: MIT
// The status page. What is in it came from a repository: it is escaped, wherever it goes.
#include "appliance/admin/page.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/admin/cloudfront/xml.h"

namespace headgate::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kStyle =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
    "color:#1c2430;background:#fafbfc}"
    "h1{font-size:1.3rem;margin:0 0 .3rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}p{margin:.2rem 0}"
    ".bad{color:#b3261e}.good{color:#1b6e3c}.quiet{color:#5a6675}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;"
    "border-bottom:1px solid #e3e7ec;overflow-wrap:anywhere}"
    "th{font-weight:500;color:#5a6675;white-space:nowrap}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}"
    "@media(prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}"
    "th,.quiet{color:#93a1b0}th,td{border-color:#2a323b}.bad{color:#ff8a80}.good{color:#7ddba3}}";

constexpr std::string_view kScript =
    "'use strict';\n"
    "let last=null;\n"
    "function rates(main){\n"
    " const t=main.querySelector('#traffic');if(!t)return;\n"
    " const now={at:performance.now(),requests:+t.dataset.requests,bytes:+t.dataset.bytes};\n"
    " if(last&&now.requests>=last.requests){const s=(now.at-last.at)/1000;\n"
    "  main.querySelector('#rate').textContent=\n"
    "   `now ${((now.requests-last.requests)/s).toFixed(1)} requests/s, `+\n"
    "   `${((now.bytes-last.bytes)/s/1e6).toFixed(2)} MB/s`}\n"
    " last=now}\n"
    "async function refresh(){\n"
    " const main=document.querySelector('main');\n"
    " try{\n"
    "  const answer=await fetch('/');\n"
    "  if(!answer.ok)throw new Error('the page answers '+answer.status);\n"
    "  const next=new DOMParser().parseFromString(await answer.text(),'text/html')\n"
    "   .querySelector('main');\n"
    "  rates(next);main.replaceWith(next)\n"
    " }catch(e){const s=main.querySelector('#state');s.className='bad';\n"
    "  s.textContent='no answer: '+e.message}\n"
    " setTimeout(refresh,2000)}\n"
    "rates(document.querySelector('main'));setTimeout(refresh,2000);\n";

/// A member as text; empty when it is missing or null.
std::string text(const Json& json, std::string_view name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  if (found == json.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  if (found->is_array()) {
    std::string all;
    for (const Json& one : *found)
      if (one.is_string()) all += (all.empty() ? "" : ", ") + one.get<std::string>();
    return all;
  }
  return found->dump();
}

const Json& member(const Json& json, std::string_view name) {
  static const Json kNone;
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found == json.end() ? kNone : *found;
}

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

std::string size(const Json& json, std::string_view name) {
  const Json& value = member(json, name);
  if (!value.is_number()) return {};
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto octets = value.get<double>();
  std::size_t unit = 0;
  for (; octets >= 1024 && unit + 1 < kUnits.size(); ++unit) octets /= 1024;
  return fmt::format("{:.{}f} {}", octets, unit == 0 ? 0 : 1, kUnits[unit]);
}

/// Rows of cells under a heading; nothing without rows.
class Table {
 public:
  explicit Table(std::string_view title, std::vector<std::string_view> columns)
      : title_(title), columns_(std::move(columns)) {}

  void row(const std::vector<std::string>& cells, std::string_view style = "") {
    rows_ += style.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", style);
    for (const std::string& cell : cells) rows_ += "<td>" + escape_xml(cell) + "</td>";
    rows_ += "</tr>\n";
  }

  std::string html() const {
    if (rows_.empty()) return {};
    std::string head;
    for (const std::string_view column : columns_) head += fmt::format("<th>{}</th>", column);
    return fmt::format("<h2>{}</h2>\n<table>\n<tr>{}</tr>\n{}</table>\n", title_, head, rows_);
  }

 private:
  std::string_view title_;
  std::vector<std::string_view> columns_;
  std::string rows_;
};

/// Types that are bad news when they are true, or when they are not.
bool is_bad(const std::string& type, const std::string& status) {
  for (const char* good : {"Ready", "SourceReady", "SourceVerified", "Validated", "TestsPassed"})
    if (type == good) return status == "False";
  return type != "Reconciling" && type != "Watched" && status == "True";
}

std::string head_html(const Json& status) {
  const bool ready = member(status, "ready").is_boolean() && member(status, "ready").get<bool>();
  std::string why;
  for (const Json& condition : member(status, "conditions"))
    if (text(condition, "type") == "Ready") why = text(condition, "message");
  const Json& source = member(status, "source");
  const Json& history = member(status, "history");
  std::string out =
      fmt::format("<p id=\"state\" class=\"{}\">{}{}</p>\n", ready ? "good" : "bad",
                  ready ? "ready" : "not ready", why.empty() ? "" : ": " + escape_xml(why));
  if (history.is_array() && !history.empty()) {
    const Json& live = history.front();
    out +=
        fmt::format("<p>generation {}, commit {}: {}{}, live since {}</p>\n",
                    escape_xml(text(live, "generation")),
                    escape_xml(short_id(text(live, "commit"))), escape_xml(text(live, "subject")),
                    text(live, "author").empty() ? "" : " by " + escape_xml(text(live, "author")),
                    escape_xml(text(live, "time")));
  }
  out += fmt::format(
      "<p class=\"quiet\">{} at {}, read {}; headgate {}</p>\n", escape_xml(text(source, "url")),
      escape_xml(text(source, "ref")),
      text(source, "lastSuccess").empty() ? "never" : escape_xml(text(source, "lastSuccess")),
      escape_xml(text(status, "version")));
  return out;
}

std::string refusal_html(const Json& status) {
  const Json& refused = member(status, "refused");
  if (!refused.is_object()) return {};
  std::string out = fmt::format(
      "<h2>Refused</h2>\n<p class=\"bad\">{}: {} ({}, {})</p>\n<pre id=\"diagnostics\">",
      escape_xml(short_id(text(refused, "commit"))), escape_xml(text(refused, "subject")),
      escape_xml(text(refused, "stage")), escape_xml(text(refused, "time")));
  for (const Json& line : member(status, "diagnostics"))
    if (line.is_string()) out += escape_xml(line.get<std::string>()) + "\n";
  return out + "</pre>\n";
}

std::string traffic_html(const Json& status) {
  const Json& traffic = member(status, "traffic");
  const Json& cache = member(status, "cache");
  if (!traffic.is_object()) return {};
  const auto number = [&](std::string_view name) {
    const Json& value = member(traffic, name);
    return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
  };
  const std::uint64_t lookups = number("lookups");
  std::string out = fmt::format(
      "<h2>Traffic</h2>\n<p id=\"traffic\" data-requests=\"{}\" data-bytes=\"{}\">{} requests, {} "
      "sent, {} of them 5xx, {} connections open",
      number("requests"), number("bytesSent"), number("requests"), size(traffic, "bytesSent"),
      number("errors"), number("connectionsOpen"));
  if (lookups > 0)
    out += fmt::format(", hit ratio {:.1f} %",
                       100.0 * static_cast<double>(number("hits")) / static_cast<double>(lookups));
  out += "; <span id=\"rate\"></span></p>\n";
  if (cache.is_object())
    out += fmt::format("<p>Cache: {} responses, {} of {}</p>\n", escape_xml(text(cache, "objects")),
                       size(cache, "residentBytes"), size(cache, "budgetBytes"));
  return out;
}

std::string tables_html(const Json& status) {
  Table conditions("Conditions", {"type", "status", "reason", "message", "since"});
  for (const Json& one : member(status, "conditions"))
    conditions.row({text(one, "type"), text(one, "status"), text(one, "reason"),
                    text(one, "message"), text(one, "lastTransitionTime")},
                   is_bad(text(one, "type"), text(one, "status")) ? "bad" : "");
  Table origins("Origins", {"distribution", "origin", "address", "state"});
  for (const Json& one : member(status, "origins"))
    origins.row(
        {text(one, "distribution"), text(one, "id"), text(one, "domainName"), text(one, "state")},
        text(one, "state") == "down" ? "bad" : "");
  Table certificates("Certificates", {"distribution", "certificate", "valid until"});
  for (const Json& one : member(status, "certificates"))
    certificates.row({text(one, "distribution"),
                      text(one, "selfSigned") == "yes" ? "self-signed" : text(one, "certificate"),
                      text(one, "notAfter")});
  Table warnings("Warnings", {"in the commit that is live"});
  for (const Json& one : member(status, "warnings"))
    if (one.is_string()) warnings.row({one.get<std::string>()});
  Table history("History", {"generation", "commit", "subject", "author", "live from", "signers"});
  for (const Json& one : member(status, "history"))
    history.row({text(one, "generation"), short_id(text(one, "commit")), text(one, "subject"),
                 text(one, "author"), text(one, "time"), text(one, "signers")});
  Table listeners("Listeners", {"protocol", "addresses"});
  for (const auto& [name, addresses] : member(status, "listeners").items())
    listeners.row({name, text(member(status, "listeners"), name)});
  return conditions.html() + origins.html() + certificates.html() + warnings.html() +
         history.html() + listeners.html();
}

/// As CSP level 3 writes it: sha256-<base64>.
std::string source_hash(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::array<unsigned char, 4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1> base64;
  const int size = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(length));
  return "'sha256-" +
         std::string(reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(size)) +
         "'";
}

}  // namespace

std::string status_page(const std::string& status_json) {
  const Json status = Json::parse(status_json, nullptr, false);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Headgate</title>"
      "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">"
      "<style>";
  out += kStyle;
  out += "</style></head>\n<body><h1>Headgate</h1>\n<main>\n";
  out += head_html(status) + refusal_html(status) + traffic_html(status) + tables_html(status);
  out +=
      "</main>\n<p class=\"quiet\">The same for machines: <a href=\"/status\">/status</a>, "
      "<a href=\"/events\">/events</a>, <a href=\"/metrics\">/metrics</a></p>\n<script>";
  out += kScript;
  out += "</script></body></html>\n";
  return out;
}

const std::string& status_page_policy() {
  static const std::string kPolicy = fmt::format(
      "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; "
      "base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'",
      source_hash(kScript), source_hash(kStyle));
  return kPolicy;
}

}  // namespace headgate::admin
