// SPDX-License-Identifier: MIT
// The folder given by --state: made when missing, checked, and locked for one appliance.
#include "reconciler/state/state_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> not_usable(const std::string& path, int error) {
  if (error == EACCES || error == EPERM)
    return fail(
        Blame::Config,
        "--state {}: {}; the folder must belong to the user that headgate runs as (uid {}): "
        "chown -R it, or choose another one",
        path, std::strerror(error), ::geteuid());
  return fail(Blame::Config, "--state {}: {}", path, std::strerror(error));
}

/// Private: what is followed may be a private repository.
Status make_folder(const std::string& path) {
  std::error_code error;
  if (fs::create_directories(path, error)) ::chmod(path.c_str(), 0700);
  if (error) return not_usable(path, error.value());
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return not_usable(path, errno);
  return {};
}

}  // namespace

Result<StateFolder> StateFolder::open(const std::string& path) {
  if (Status made = make_folder(path); !made) return tl::unexpected<Error>(std::move(made.error()));
  std::error_code error;
  const std::string absolute = fs::canonical(path, error).string();
  if (error) return not_usable(path, error.value());
  File lock(::open((absolute + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.is_open()) return not_usable(path, errno);
  // Not flock(): that one would be held by a child between fork and exec too, and outlive a kill
  // -9.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(lock.fd(), F_SETLK, &whole) != 0)
    return fail(Blame::Config,
                "--state {}: another headgate uses this folder; stop it, or give each its own",
                path);
  if (Status made = make_folder(absolute + "/snapshots"); !made)
    return tl::unexpected<Error>(std::move(made.error()));
  return StateFolder(absolute, std::move(lock));
}

}  // namespace headgate::reconciler
