// SPDX-License-Identifier: MIT
// Fills collections from a request and a response.
#include "appliance/guard/waf/crs/values.h"

#include <fmt/format.h>

#include "appliance/guard/waf/body/parsers.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

// Without "scheme://authority".
std::string_view without_authority(std::string_view target) {
  if (target.empty() || target.front() == '/') return target;
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || target.find_first_of("/?") < scheme) return target;
  const std::size_t path = target.find('/', scheme + 3);
  return path == std::string_view::npos ? target : target.substr(path);
}

}  // namespace

void Values::set(Collection collection, std::string_view octets) {
  list(collection).clear();
  add(collection, {}, octets);
}

void Values::add_target(const Request& request) {
  const std::size_t size =
      request.method.size() + request.target.size() + request.protocol.size() + 2;
  char* const line = arena_.allocate(size);
  fmt::format_to(line, "{} {} {}", request.method, request.target, request.protocol);
  set(Collection::RequestLine, {line, size});
  set(Collection::RequestUriRaw, request.target);
  set(Collection::RequestUri, without_authority(request.target));
  set(Collection::RequestFilename, request.path);
  const std::size_t slash = request.path.find_last_of("/\\");
  const std::string_view basename =
      slash == std::string_view::npos ? request.path : request.path.substr(slash + 1);
  set(Collection::RequestBasename, basename);
  set(Collection::QueryString, request.query);
  set(Collection::RequestMethod, request.method);
  set(Collection::RequestProtocol, request.protocol);
}

void Values::add_request(const Request& request, const BodyLimits& limits) {
  add_target(request);
  char* const address = arena_.allocate(46);
  set(Collection::RemoteAddr, {address, request.client.format(address)});
  std::vector<NamedValue> cookies;
  bool all_cookies = true;
  for (const Header& header : request.headers) {
    add(Collection::RequestHeaders, header.name, header.value);
    add(Collection::RequestHeadersNames, header.name, header.name);
    if (http::equals_ignoring_case(header.name, "cookie"))
      all_cookies = parse_cookies(header.value, limits, cookies) && all_cookies;
  }
  for (const NamedValue& cookie : cookies) {
    add(Collection::RequestCookies, cookie.name, cookie.value);
    add(Collection::RequestCookiesNames, cookie.name, cookie.name);
  }
  for (const Collection flag :
       {Collection::ReqbodyError, Collection::UrlencodedError, Collection::InboundDataError,
        Collection::MultipartStrictError, Collection::MultipartUnmatchedBoundary})
    set(flag, "0");
  if (!all_cookies) set(Collection::InboundDataError, "1");
  set(Collection::ReqbodyProcessor, "");
}

void Values::add_arguments(const BodyContent& content, bool get) {
  for (const NamedValue& argument : content.arguments) {
    const Value value{argument.name, memo_.add(argument.value)};
    const Value name{argument.name, memo_.add(argument.name)};
    list(Collection::Args).push_back(value);
    list(Collection::ArgsNames).push_back(name);
    list(get ? Collection::ArgsGet : Collection::ArgsPost).push_back(value);
    list(get ? Collection::ArgsGetNames : Collection::ArgsPostNames).push_back(name);
    arguments_octets_ += argument.name.size() + argument.value.size();
  }
  set(Collection::ArgsCombinedSize, arena_.persist(std::to_string(arguments_octets_)));
  if (content.invalid_url_encoding) set(Collection::UrlencodedError, "1");
  if (content.too_many_arguments) set(Collection::InboundDataError, "1");
}

void Values::add_body(const BodyContent& content) {
  add_arguments(content, false);
  for (const NamedValue& file : content.files) {
    add(Collection::Files, file.name, file.value);
    add(Collection::FilesNames, file.name, file.name);
  }
  for (const NamedValue& header : content.part_headers)
    add(Collection::MultipartPartHeaders, header.name, header.value);
  if (!content.files.empty())
    set(Collection::FilesCombinedSize, arena_.persist(std::to_string(content.file_octets)));
  if (!content.xml_text.empty()) set(Collection::Xml, arena_.persist(content.xml_text));
  for (const std::string_view attribute : content.xml_attributes)
    add(Collection::XmlAttributes, {}, attribute);
  if (content.multipart_strict_error) set(Collection::MultipartStrictError, "1");
  set(Collection::MultipartUnmatchedBoundary,
      arena_.persist(std::to_string(content.multipart_unmatched_boundary)));
  if (content.error.empty()) return;
  set(Collection::ReqbodyError, "1");
  set(Collection::ReqbodyErrorMsg, arena_.persist(content.error));
}

void Values::add_response_head(const Response& response) {
  set(Collection::ResponseStatus, arena_.persist(std::to_string(response.status)));
  set(Collection::ResponseProtocol, response.protocol);
  for (const Header& header : response.headers) {
    add(Collection::ResponseHeaders, header.name, header.value);
    add(Collection::ResponseHeadersNames, header.name, header.name);
    if (http::equals_ignoring_case(header.name, "content-type"))
      set(Collection::ResponseContentType, header.value);
    if (http::equals_ignoring_case(header.name, "content-length"))
      set(Collection::ResponseContentLength, header.value);
  }
}

}  // namespace headgate::guard::waf
