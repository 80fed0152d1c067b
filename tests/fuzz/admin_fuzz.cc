// SPDX-License-Identifier: MIT
// Fuzzes what the admin listener reads of strangers: the frame of a request, then cpp-httplib's
// reading of it, and the XML and YAML of purges.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "appliance/admin/cloudfront/xml.h"
#include "appliance/admin/front/request_head.h"
#include "appliance/admin/front/responder.h"

namespace {

using namespace headgate::admin;

void require(bool holds) {
  if (!holds) std::abort();
}

Endpoints make_endpoints() {
  Options options;
  options.webhook_secret = headgate::schema::Redacted("s3cret");
  Appliance appliance;
  appliance.readiness = [] { return Readiness{true, "", 0}; };
  appliance.status_json = [] { return std::string("{}"); };
  appliance.metrics_text = [] { return std::string("x 1\n"); };
  appliance.events = [](std::uint64_t, std::size_t) {
    return std::vector<std::pair<std::uint64_t, std::string>>();
  };
  appliance.reconcile_now = [] { std::abort(); };  // nobody guesses the secret
  appliance.invalidations_json = [] { return std::string("[]"); };
  appliance.purging.purge = [](const headgate::schema::Invalidation& invalidation) {
    require(!invalidation.id().empty());
    PurgeReply reply;
    reply.problem = "a test";
    return reply;
  };
  appliance.purging.list = [](const std::string&) {
    return std::optional<std::vector<InvalidationView>>(std::in_place);
  };
  appliance.warming.run = [](const std::string&) { return WarmReply(); };
  appliance.warming.json = [] { return std::string("{}"); };
  return Endpoints(options, appliance, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Endpoints endpoints = make_endpoints();
  static const auto responder = Responder::create(endpoints);
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  if (const auto root = parse_xml(octets)) {
    const auto again = parse_xml("<a>" + escape_xml(root->text) + "</a>");
    require(again.has_value() && again->text.size() >= root->text.size());
  }
  const auto head = parse_request_head(octets);
  if (head.state != RequestHead::State::Complete) return 0;
  require(head.length <= octets.size());
  require(head.request.find('\0') == std::string::npos);
  require(parse_request_head(octets.substr(0, head.length)).request == head.request);
  require(parse_request_head(octets.substr(0, head.length - 1)).state ==
          RequestHead::State::NeedMore);
  const auto response = responder->respond(head.request, std::string(octets.substr(head.length)));
  require(response.octets.rfind("HTTP/1.1 ", 0) == 0);
  return 0;
}
