// SPDX-License-Identifier: MIT
// From root to the user that --user names: first for a while, then for good.
#include "appliance/cli/run/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace headgate::cli {
namespace {

tl::unexpected<Error> refused(const std::string& user) {
  return fail(Blame::Self, "--user {}: {}", user, std::strerror(errno));
}

}  // namespace

Result<Privileges> Privileges::of(const std::string& user) {
  Privileges privileges;
  if (user.empty()) return privileges;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return fail(Blame::Config, "--user {}: there is no such user", user);
  privileges.user_ = user;
  privileges.uid_ = found->pw_uid;
  privileges.gid_ = found->pw_gid;
  privileges.changes_ = found->pw_uid != ::geteuid();
  if (privileges.changes_ && ::geteuid() != 0)
    return fail(
        Blame::Config,
        "--user {}: only root can become another user; start as root, or leave the flag out", user);
  const int count = ::getgroups(0, nullptr);
  privileges.root_groups_.resize(static_cast<std::size_t>(std::max(count, 0)));
  if (count > 0 && ::getgroups(count, privileges.root_groups_.data()) < 0) return refused(user);
  return privileges;
}

Status Privileges::assume() {
  if (!changes_) return {};
  if (::initgroups(user_.c_str(), gid_) != 0 || ::setegid(gid_) != 0 || ::seteuid(uid_) != 0)
    return refused(user_);
  return {};
}

Status Privileges::regain() {
  if (!changes_) return {};
  if (::seteuid(0) != 0 || ::setegid(0) != 0 ||
      ::setgroups(root_groups_.size(), root_groups_.data()) != 0)
    return refused(user_);
  return {};
}

Status Privileges::drop() {
  if (!changes_) return {};
  if (::initgroups(user_.c_str(), gid_) != 0 || ::setgid(gid_) != 0 || ::setuid(uid_) != 0)
    return refused(user_);
  if (::setuid(0) == 0) return fail(Blame::Self, "--user {}: root could be had back", user_);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return {};
}

}  // namespace headgate::cli
