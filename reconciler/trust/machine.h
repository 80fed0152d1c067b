// SPDX-License-Identifier: MIT
// Whom the machine itself trusts: the files that its operator named.
#pragma once

#include <memory>

#include "reconciler/trust/policy.h"
#include "schema/model/resources.h"

namespace headgate::reconciler {

/// Reads the files now; null when none is named. Errors: Blame::Config, one line that names the
/// flag and the file.
Result<std::shared_ptr<const Policy>> read_machine_policy(const schema::EdgeVerify& verify);

}  // namespace headgate::reconciler
