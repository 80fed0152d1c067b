// SPDX-License-Identifier: MIT
// The status page. It knows nothing of the status but that it is JSON, and sets text only as text.
#include "appliance/admin/page.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace headgate::admin {
namespace {

#define HG_PAGE_STYLE                                                                             \
  "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"     \
  "color:#1c2430;background:#fafbfc}"                                                             \
  "h1{font-size:1.3rem;margin:0 0 1rem}"                                                          \
  "#state{font-weight:600}#state.bad{color:#b3261e}#state.good{color:#1b6e3c}"                    \
  "table{border-collapse:collapse;width:100%;margin:.2rem 0}"                                     \
  "th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid " \
  "#e3e7ec}"                                                                                      \
  "th{font-weight:500;color:#5a6675;white-space:nowrap}td{white-space:pre-wrap;overflow-wrap:"    \
  "anywhere}"                                                                                     \
  "@media(prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}th{color:#93a1b0}"     \
  "th,td{border-color:#2a323b}#state.bad{color:#ff8a80}#state.good{color:#7ddba3}}"

#define HG_PAGE_SCRIPT                                                                           \
  "'use strict';\n"                                                                              \
  "function cell(tag,content){const e=document.createElement(tag);\n"                            \
  " if(content instanceof Node)e.append(content);else e.textContent=content;return e}\n"         \
  "function row(...cells){const r=document.createElement('tr');r.append(...cells);return r}\n"   \
  "function isTable(v){return v.length>0&&v.every(x=>x&&typeof "                                 \
  "x==='object'&&!Array.isArray(x))}\n"                                                          \
  "function show(v){\n"                                                                          \
  " if(v===null||v===undefined)return document.createTextNode('');\n"                            \
  " if(typeof v!=='object')return document.createTextNode(String(v));\n"                         \
  " const t=document.createElement('table');\n"                                                  \
  " if(Array.isArray(v)){\n"                                                                     \
  "  if(!isTable(v)){for(const x of v)t.append(row(cell('td',show(x))));return t}\n"             \
  "  const keys=[...new Set(v.flatMap(Object.keys))];\n"                                         \
  "  t.append(row(...keys.map(k=>cell('th',k))));\n"                                             \
  "  for(const x of v)t.append(row(...keys.map(k=>cell('td',show(x[k])))));return t}\n"          \
  " for(const k of Object.keys(v))t.append(row(cell('th',k),cell('td',show(v[k]))));return t}\n" \
  "function state(text,good){const s=document.getElementById('state');\n"                        \
  " s.textContent=text;s.className=good?'good':'bad'}\n"                                         \
  "async function refresh(){\n"                                                                  \
  " try{\n"                                                                                      \
  "  const ready=await(await fetch('/readyz')).json();\n"                                        \
  "  state(ready.ready?'ready':'not ready: '+ready.reason,ready.ready);\n"                       \
  "  const answer=await fetch('/status');\n"                                                     \
  "  if(!answer.ok)throw new Error('/status answers '+answer.status);\n"                         \
  "  document.getElementById('status').replaceChildren(show(await answer.json()));\n"            \
  " }catch(e){state('no answer: '+e.message,false)}\n"                                           \
  " setTimeout(refresh,2000)}\n"                                                                 \
  "refresh();\n"

constexpr std::string_view kStyle = HG_PAGE_STYLE;
constexpr std::string_view kScript = HG_PAGE_SCRIPT;
constexpr std::string_view kPage =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Headgate</title>"
    "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">"
    "<style>" HG_PAGE_STYLE
    "</style></head>\n"
    "<body><h1>Headgate: <span id=\"state\">…</span></h1>\n<main id=\"status\"></main>\n"
    "<noscript>This page needs JavaScript; the same is at <a "
    "href=\"/status\">/status</a>.</noscript>\n"
    "<script>" HG_PAGE_SCRIPT "</script></body></html>\n";

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

std::string_view status_page() { return kPage; }

const std::string& status_page_policy() {
  static const std::string kPolicy = fmt::format(
      "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; "
      "base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'",
      source_hash(kScript), source_hash(kStyle));
  return kPolicy;
}

}  // namespace headgate::admin
