// SPDX-License-Identifier: MIT
// The reason phrase of a status code, for HTTP/1 and for the edge's own pages.
#pragma once

namespace headgate::server {

/// RFC 9110 section 15 and the IANA registry; "Unknown" for what is in neither. Never null.
const char* status_phrase(int status);

}  // namespace headgate::server
