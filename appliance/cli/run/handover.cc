// SPDX-License-Identifier: MIT
#include "appliance/cli/run/handover.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace headgate::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kVariable = "HEADGATE_HANDOVER";
/// Of the variable, and of what goes through the channels.
constexpr int kFormat = 1;
constexpr auto kLongestStart = std::chrono::minutes(5);
constexpr auto kLook = std::chrono::milliseconds(100);

Json to_json(const HandedListener& listener) {
  return Json{{"asked", listener.asked}, {"descriptor", listener.descriptor}};
}

HandedListener handed_listener(const Json& json) {
  return {json.at("asked").get<std::string>(), json.at("descriptor").get<int>()};
}

std::string encode(const Inheritance& inheritance, int ready) {
  Json json{{"format", kFormat},
            {"ready", ready},
            {"admin", to_json(inheritance.admin)},
            {"health", to_json(inheritance.health)},
            {"listeners", Json::array()}};
  for (const server::Listening& one : inheritance.listeners)
    json["listeners"].push_back(Json{{"asked", one.asked},
                                     {"tls", one.tls},
                                     {"descriptors", one.descriptors},
                                     {"datagrams", one.datagrams},
                                     {"channels", one.channels}});
  return json.dump();
}

Inheritance decode(const std::string& text) {
  const Json json = Json::parse(text);
  if (json.at("format").get<int>() != kFormat)
    throw std::invalid_argument("it hands over in another way; restart instead");
  Inheritance inheritance;
  inheritance.ready = json.at("ready").get<int>();
  inheritance.admin = handed_listener(json.at("admin"));
  inheritance.health = handed_listener(json.at("health"));
  for (const Json& one : json.at("listeners"))
    inheritance.listeners.push_back({one.at("asked").get<std::string>(), one.at("tls").get<bool>(),
                                     one.at("descriptors").get<std::vector<int>>(),
                                     one.at("datagrams").get<std::vector<int>>(),
                                     one.at("channels").get<std::vector<int>>()});
  return inheritance;
}

template <class F>
void for_each_descriptor(const Inheritance& inheritance, F call) {
  for (const server::Listening& one : inheritance.listeners)
    for (const auto* descriptors : {&one.descriptors, &one.datagrams, &one.channels})
      for (const int descriptor : *descriptors) call(descriptor);
  for (const int descriptor : {inheritance.admin.descriptor, inheritance.health.descriptor})
    if (descriptor >= 0) call(descriptor);
}

/// The arguments that this process was started with.
Result<std::vector<std::string>> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    arguments.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  if (arguments.empty()) return fail(Blame::Self, "/proc/self/cmdline cannot be read");
  return arguments;
}

std::vector<std::string> environment_with(const std::string& variable) {
  std::vector<std::string> entries;
  const std::string prefix = std::string(kVariable) + "=";
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::strncmp(*entry, prefix.c_str(), prefix.size()) != 0) entries.emplace_back(*entry);
  entries.push_back(prefix + variable);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<std::optional<Inheritance>> take_inheritance() {
  const char* variable = std::getenv(kVariable);
  if (variable == nullptr) return std::optional<Inheritance>();
  const std::string text = variable;
  ::unsetenv(kVariable);
  Inheritance inheritance;
  try {
    inheritance = decode(text);
  } catch (const std::exception& error) {
    return fail(Blame::Self, "{}, of the process before: {}", kVariable, error.what());
  }
  for_each_descriptor(inheritance,
                      [](int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); });
  ::fcntl(inheritance.ready, F_SETFD, FD_CLOEXEC);
  return std::optional(std::move(inheritance));
}

Result<Successor> Successor::start(const Inheritance& inheritance) {
  HG_TRY(std::vector<std::string> arguments, own_arguments(), "starting the next process");
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0)
    return fail(Blame::Self, "starting the next process: {}", std::strerror(errno));
  std::vector<std::string> environment = environment_with(encode(inheritance, ready[1]));

  // Not every library (libcurl, for one) says of its descriptors that they end with the program.
  static_cast<void>(::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // Onto itself: what is left of it is that the descriptor stays open there.
  const auto keep = [&actions](int descriptor) {
    ::posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor);
  };
  for_each_descriptor(inheritance, keep);
  keep(ready[1]);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, arguments.front().c_str(), &actions, nullptr,
                                   pointers(arguments).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ready[1]);
  if (error != 0) {
    ::close(ready[0]);
    return fail(Blame::Self, "{} cannot be run: {}", arguments.front(), std::strerror(error));
  }
  return Successor(pid, ready[0]);
}

Successor::Successor(Successor&& other) noexcept
    : pid_(other.pid_), ready_(std::exchange(other.ready_, -1)) {}

Successor::~Successor() {
  if (ready_ >= 0) ::close(ready_);
}

Status Successor::wait_until_ready(const std::function<bool()>& give_up) {
  const auto deadline = std::chrono::steady_clock::now() + kLongestStart;
  while (true) {
    pollfd waiting = {.fd = ready_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(kLook.count()));
    if (ready > 0) {
      char octet = 0;
      if (::read(ready_, &octet, 1) == 1) return {};
      return fail(Blame::Self, "the next process {}", end());
    }
    if (give_up()) {
      ::kill(pid_, SIGTERM);
      end();
      return fail(Blame::Self, "it is to stop, too");
    }
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGTERM);
      end();
      return fail(Blame::Self, "the next process did not begin to serve within five minutes");
    }
  }
}

/// Whatever it was doing; how it ended.
std::string Successor::end() {
  int status = 0;
  // One that has closed the pipe is about to end, and tells why.
  for (int i = 0; i < 20; ++i) {
    if (::waitpid(pid_, &status, WNOHANG) == pid_)
      return WIFEXITED(status) ? fmt::format("ended with exit code {}", WEXITSTATUS(status))
                               : fmt::format("was ended by signal {}", WTERMSIG(status));
    ::poll(nullptr, 0, static_cast<int>(kLook.count()) / 2);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  return "did not end";
}

}  // namespace headgate::cli
