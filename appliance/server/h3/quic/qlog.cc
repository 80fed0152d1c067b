// SPDX-License-Identifier: MIT
#include "appliance/server/h3/quic/qlog.h"

#include <fmt/format.h>

namespace headgate::server {

std::unique_ptr<Qlog> Qlog::open(const std::string& folder, const ngtcp2_cid& id) {
  if (folder.empty()) return nullptr;
  std::string path = folder + '/';
  for (std::size_t i = 0; i < id.datalen; ++i) path += fmt::format("{:02x}", id.data[i]);
  // "x": a client that chooses the id of another one does not write into its file.
  std::FILE* file = std::fopen((path + ".sqlog").c_str(), "wxe");
  return file == nullptr ? nullptr : std::unique_ptr<Qlog>(new Qlog(file));
}

}  // namespace headgate::server
