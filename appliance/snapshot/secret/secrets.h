// SPDX-License-Identifier: MIT
// From where a secret is to what it is.
#pragma once

#include "schema/base/result.h"
#include "schema/model/secret.h"

namespace headgate::snapshot {

/// Of what is outside of the repository (for its own see SopsSecrets): the value of an inline
/// secret; the content of a file or systemd credential without a trailing newline; the value of a
/// variable. Errors: Blame::Config with the name of the place, never its content. Secrets are at
/// most 64 KiB. Threads: any; reads from disk.
Result<schema::Redacted> resolve(const schema::Secret& secret);

}  // namespace headgate::snapshot
