// SPDX-License-Identifier: MIT
// CloudFront's CreateInvalidation, GetInvalidation and ListInvalidations, as its SDKs speak them.
#pragma once

#include <string>
#include <string_view>

#include "appliance/admin/endpoints.h"
#include "appliance/admin/purge.h"

namespace headgate::admin::cloudfront {

/// /2020-05-31/distribution/DISTRIBUTION/invalidation[/ID]; the distribution's id is its name.
inline constexpr std::string_view kPrefix = "/2020-05-31/distribution/";

/// An error as the SDKs read it: `<ErrorResponse><Error><Code>…`.
Answer error(int status, std::string_view code, std::string_view message);

/// Answers GET, HEAD and POST below kPrefix. Threads: any; a POST returns after the purge is
/// durable.
Answer answer(const Call& call, const Purging& purging);

}  // namespace headgate::admin::cloudfront
