// SPDX-License-Identifier: MIT
// Fuzzes what the WAF reads of strangers: queries, forms, multipart, JSON, XML and cookies; all
// transformations; and SecLang, which operators bring. The first octet picks one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "appliance/guard/waf/body/parsers.h"
#include "appliance/guard/waf/match/relax.h"
#include "appliance/guard/waf/match/validate.h"
#include "appliance/guard/waf/request.h"
#include "appliance/guard/waf/seclang/reader.h"
#include "appliance/guard/waf/text/transformation.h"

namespace {

using namespace headgate;
using namespace headgate::guard::waf;

void require(bool holds) {
  if (!holds) std::abort();
}

class NoFiles final : public RuleFiles {
 public:
  Result<std::string> read(const std::string& path) const override {
    return fail(Blame::Config, "there is no {}", path);
  }
  std::vector<std::string> list(const std::string&) const override { return {}; }
};

void body(std::uint8_t kind, std::string_view octets) {
  const BodyLimits limits;
  const bool whole = (kind & 1) != 0;
  Arena arena;
  BodyContent content;
  switch (kind / 2 % 5) {
    case 0:
      parse_urlencoded(octets, limits, arena, content);
      require(content.invalid_url_encoding || valid_url_encoding(octets));
      break;
    case 1:
      parse_multipart(octets, "multipart/form-data; boundary=b", whole, limits, arena, content);
      break;
    case 2:
      parse_json(octets, whole, limits, arena, content);
      break;
    case 3:
      parse_xml(octets, whole, limits, arena, content);
      break;
    default:
      parse_multipart("--b\r\n\r\n\r\n--b--\r\n", octets, whole, limits, arena, content);
  }
  require(content.arguments.size() <= limits.arguments);
  require(content.xml_attributes.size() <= limits.arguments);
  std::size_t size = 0;
  for (const NamedValue& argument : content.arguments) size += argument.value.size();
  require(size <= octets.size() + content.arguments.size() * 24);  // numbers are written anew
}

void text(std::string_view octets) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Transformation::kCount); ++i) {
    const auto transformation = static_cast<Transformation>(i);
    std::string out;
    const bool changed = apply(transformation, octets, out);
    require(!changed || may_change(transformation, octet_kinds(octets)));
    require(out.size() <= octets.size() * 4 + 20);
  }
  std::vector<NamedValue> cookies;
  const bool all_cookies = parse_cookies(octets, BodyLimits(), cookies);
  require(all_cookies || cookies.size() == BodyLimits().arguments);
  for (const NamedValue& cookie : cookies) require(!cookie.name.empty());
  const TargetParts parts = split_target(octets);
  require(parts.path.size() + parts.query.size() <= octets.size() + 1);
  std::size_t before = 0;
  for (const std::size_t end : sequence_ends(octets)) {
    require(end > before && end <= octets.size());
    before = end;
  }
}

void seclang(std::string_view octets) {
  const NoFiles files;
  Reader reader(files);
  reader.read_text(octets, "fuzz.conf");
  for (const Problem& problem : reader.problems()) require(!problem.message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] < 128) {
    body(data[0], octets);
  } else if (data[0] < 192) {
    text(octets);
  } else {
    seclang(octets);
  }
  return 0;
}
