// SPDX-License-Identifier: MIT
// Compiled databases as files.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "appliance/guard/waf/crs/rule_set.h"

namespace headgate::guard::waf {
namespace {

namespace fs = std::filesystem;

class CacheOnDisk final : public Prescan::Cache {
 public:
  explicit CacheOnDisk(std::string folder) : folder_(std::move(folder)) {}

  std::optional<std::string> load(const std::string& digest) override {
    std::ifstream file(fs::path(folder_) / digest, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  // Under another name first: whoever reads sees a whole file or none.
  void store(const std::string& digest, const std::string& octets) override {
    std::error_code error;
    fs::create_directories(folder_, error);
    const fs::path path = fs::path(folder_) / digest;
    const fs::path unfinished = path.string() + "." + std::to_string(getpid());
    std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
    file.write(octets.data(), static_cast<std::streamsize>(octets.size()));
    file.close();
    if (file) fs::rename(unfinished, path, error);
    if (!file || error) fs::remove(unfinished, error);
  }

 private:
  const std::string folder_;
};

}  // namespace

std::unique_ptr<Prescan::Cache> pattern_cache_on_disk(const std::string& folder) {
  return std::make_unique<CacheOnDisk>(folder);
}

}  // namespace headgate::guard::waf
