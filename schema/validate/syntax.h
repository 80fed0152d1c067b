// SPDX-License-Identifier: MIT
// The forms of texts: names, host names, headers, paths, addresses. Each check has the last word on
// what a repository may say.
#pragma once

#include <string>
#include <string_view>

#include "schema/table/type.h"

namespace headgate::schema {

extern const Format kResourceName;  ///< metadata.name, ids
extern const Format kAlias;         ///< host name, *.example.com, IP literal or "*"; lower-cased
extern const Format
    kDomainName;  ///< host name or IP literal; lower-cased, brackets of IPv6 removed
extern const Format kHeaderName;        ///< RFC 9110 section 5.6.2 token
extern const Format kLowerHeaderName;   ///< the same, lower-cased
extern const Format kHeaderValue;       ///< RFC 9110 section 5.5 field-content
extern const Format kCookieName;        ///< RFC 6265 section 4.1.1
extern const Format kQueryName;         ///< name of a query string parameter
extern const Format kLanguageTag;       ///< RFC 5646: "en", "pt-BR"
extern const Format kMediaType;         ///< RFC 6838 section 4.2, or "text/*"; lower-cased
extern const Format kMethod;            ///< upper-case method name
extern const Format kPathPattern;       ///< CloudFront's alphabet, * and ?
extern const Format kOriginPath;        ///< "" or "/live"
extern const Format kRootObject;        ///< "index.html"
extern const Format kPagePath;          ///< "/errors/404.html"
extern const Format kInvalidationPath;  ///< '*' anywhere; a leading slash is added; or "#tag"
extern const Format kCacheTag;          ///< of Surrogate-Key or Cache-Tag; lower-cased
extern const Format kCommit;            ///< a commit's hash or its beginning; lower-cased
extern const Format kCron;              ///< see headgate::Cron
extern const Format kSemanticRange;     ///< see headgate::SemanticRange
extern const Format kProxy;             ///< http, https, socks5 or socks5h
extern const Format kImageVersion;      ///< of the appliance image: "0.2.0"
extern const Format kAuthority;         ///< HOST or HOST:PORT; lower-cased
extern const Format kFolderPath;      ///< "edge/eu", from a repository's root; "" and "." are that
extern const Format kOverlayName;     ///< a name, or ""
extern const Format kInvalidationId;  ///< a name, `name@nonce`, a caller's reference
extern const Format kUrl;             ///< absolute, http or https
extern const Format kCountry;         ///< ISO 3166-1 alpha-2; upper-cased
extern const Format kIpAddress;
extern const Format kCidr;
extern const Format kListen;    ///< ADDR:PORT
extern const Format kAdmin;     ///< ADDR:PORT or unix:PATH
extern const Format kResolver;  ///< ADDR or ADDR:PORT; the port is added where it is missing
extern const Format kNotEmpty;
extern const Format kCommitId;     ///< a commit's whole hash; lower-cased
extern const Format kFilePattern;  ///< "waf/**"; of files of a repository
extern const Format kSignerName;   ///< what ssh-keygen calls a principal, without wildcards

/// Whether `text` is an IPv4 or IPv6 address, which is rewritten to its canonical spelling.
bool canonical_ip(std::string& text);

/// Whether `code` (upper case) is assigned in ISO 3166-1.
bool is_country(std::string_view code);

/// What a header may not be used for, with the reason as a hint; empty when it may.
enum class HeaderUse { ToOrigin, ToViewer, Forwarded };
std::string forbidden_header(std::string_view name, HeaderUse use);

}  // namespace headgate::schema
