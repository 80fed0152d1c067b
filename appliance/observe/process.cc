// SPDX-License-Identifier: MIT
// Reads /proc/self.
#include "appliance/observe/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>

namespace headgate::observe {
namespace {

/// Of /proc/self/stat: the fields behind the command's name, which may hold anything; proc(5).
struct ProcessStat {
  double start_ticks = 0;  ///< since boot
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<ProcessStat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto close = line.rfind(')');
  if (close == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(close + 1));
  ProcessStat stat;
  std::string word;
  for (int field = 3; field <= 24; ++field) {
    if (field == 22) {
      rest >> stat.start_ticks;
    } else if (field == 23) {
      rest >> stat.virtual_bytes;
    } else if (field == 24) {
      rest >> stat.resident_pages;
    } else {
      rest >> word;
    }
  }
  if (!rest) return std::nullopt;
  return stat;
}

/// When the machine booted, in seconds since 1970.
std::optional<double> read_boot_time() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> count_open_fds() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  double count = 0;
  while (const dirent* const entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count - 1;  // the directory itself
}

Family family(std::string name, std::string type, std::string help, std::optional<double> value) {
  Family result{std::move(name), std::move(help), std::move(type), {}};
  if (value) result.samples.push_back({"", *value});
  return result;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::vector<Family> process_families() {
  const auto stat = read_stat();
  std::optional<double> resident;
  std::optional<double> virtual_size;
  std::optional<double> start;
  if (stat) {
    resident = stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
    virtual_size = stat->virtual_bytes;
    if (const auto boot = read_boot_time()) {
      start = *boot + stat->start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    }
  }
  std::optional<double> cpu;
  if (rusage usage{}; getrusage(RUSAGE_SELF, &usage) == 0)
    cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  std::optional<double> max_fds;
  if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    max_fds = static_cast<double>(limit.rlim_cur);
  }
  return {
      family("process_cpu_seconds_total", "counter", "User and system CPU time.", cpu),
      family("process_resident_memory_bytes", "gauge", "Resident memory.", resident),
      family("process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_size),
      family("process_open_fds", "gauge", "Open file descriptors.", count_open_fds()),
      family("process_max_fds", "gauge", "How many file descriptors may be open.", max_fds),
      family("process_start_time_seconds", "gauge",
             "When the process started, in seconds since 1970.", start),
  };
}

}  // namespace headgate::observe
