// SPDX-License-Identifier: MIT
// Says to a libcurl handle what to send and where: nothing that the caller did not ask for leaves
// the machine.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "appliance/origin/client.h"
#include "schema/base/result.h"

namespace headgate::origin {

struct SlistDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Slist = std::unique_ptr<curl_slist, SlistDeleter>;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;

/// What a handle points at while it is used.
struct RequestLists {
  Slist headers;
  Slist connect_to;
};

/// Sets URL, method, target, fields, TLS and connecting of `easy`; not the call-backs.
/// `endpoint` must outlive the handle.
/// Errors: Blame::Self: a method that is no token, a target or a field with octets that could end a
/// line, a body with HEAD.
Result<RequestLists> set_request(CURL* easy, const Endpoint& endpoint, const Request& request);

/// Whether sending the same twice has the effect of sending it once. RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method);

}  // namespace headgate::origin
