// SPDX-License-Identifier: MIT
// The words for a Reason: ours, and RFC 9209's.
#include "appliance/guard/reason.h"

namespace headgate::guard {

std::string_view code(Reason reason) {
  switch (reason) {
    case Reason::None:
      return "none";
    case Reason::BadRequest:
      return "bad_request";
    case Reason::UnknownHost:
      return "unknown_host";
    case Reason::Misdirected:
      return "misdirected";
    case Reason::TooEarly:
      return "too_early";
    case Reason::DistributionDisabled:
      return "distribution_disabled";
    case Reason::NoConfiguration:
      return "no_configuration";
    case Reason::HttpsOnly:
      return "https_only";
    case Reason::RedirectToHttps:
      return "redirect_to_https";
    case Reason::Method:
      return "method";
    case Reason::Geo:
      return "geo";
    case Reason::Waf:
      return "waf";
    case Reason::RateLimit:
      return "rate_limit";
    case Reason::Challenge:
      return "challenge";
    case Reason::LoopDetected:
      return "loop_detected";
    case Reason::BodyTooLarge:
      return "body_too_large";
    case Reason::UrlTooLong:
      return "url_too_long";
    case Reason::OriginFailure:
      return "origin_failure";
    case Reason::Overloaded:
      return "overloaded";
    case Reason::kCount:
      break;
  }
  return "none";
}

std::string_view proxy_error(Reason reason) {
  switch (reason) {
    case Reason::BadRequest:
    case Reason::BodyTooLarge:
    case Reason::UrlTooLong:
      return "http_request_error";
    case Reason::UnknownHost:
    case Reason::Misdirected:
      return "destination_not_found";
    case Reason::DistributionDisabled:
    case Reason::OriginFailure:
      return "destination_unavailable";
    case Reason::NoConfiguration:
      return "proxy_configuration_error";
    case Reason::TooEarly:
    case Reason::HttpsOnly:
    case Reason::Method:
    case Reason::Geo:
    case Reason::Waf:
    case Reason::RateLimit:
    case Reason::Challenge:
      return "http_request_denied";
    case Reason::RedirectToHttps:
      return "proxy_internal_response";
    case Reason::LoopDetected:
      return "proxy_loop_detected";
    case Reason::Overloaded:
      return "proxy_internal_error";
    case Reason::None:
    case Reason::kCount:
      break;
  }
  return "";
}

}  // namespace headgate::guard
