// SPDX-License-Identifier: MIT
// Where in a repository the configuration of an edge is.
#pragma once

#include <string>

namespace headgate::schema {

struct Layout {
  std::string path;     ///< folder of the configuration, "edge/eu"; empty: the repository's root
  std::string overlay;  ///< name of a folder in `overlays/` there; empty: none
  friend bool operator==(const Layout&, const Layout&) = default;
  /// `path` with a slash at its end, or nothing.
  std::string prefix() const { return path.empty() ? "" : path + "/"; }
};

}  // namespace headgate::schema
