// SPDX-License-Identifier: MIT
// Comparing what a stranger sends with a secret.
#pragma once

#include <string_view>

#include "schema/model/secret.h"

namespace headgate::admin {

/// Takes as long for a near miss as for a far one. False when the secret is empty.
bool same_secret(const schema::Redacted& secret, std::string_view given);

}  // namespace headgate::admin
