// SPDX-License-Identifier: MIT
// The git program as the appliance runs it: no prompts, no hooks, no configuration but ours, a
// closed list of transports.
#include "reconciler/source/remote/git_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace headgate::reconciler {
namespace {

// Everything that is fetched stays in packs, which prove themselves. Refs stay files of their own:
// libgit2 maps packed-refs, and who maps a file dies when it is cut short. Auto maintenance would
// run in the background and outlive its deadline; Source does it in the foreground.
constexpr const char* kConfiguration =
    "[safe]\n\tdirectory = *\n"
    "[core]\n\thooksPath = /dev/null\n\tfsync = committed\n"
    "[gc]\n\tauto = 0\n\tpackRefs = false\n"
    "[maintenance]\n\tauto = false\n"
    "[fetch]\n\tunpackLimit = 1\n\trecurseSubmodules = false\n\twriteCommitGraph = false\n"
    "[credential]\n\thelper =\n"
    "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 30\n"
    "[advice]\n\tdetachedHead = false\n";

std::string shell_quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

void pass_on(std::vector<std::string>& environment, const char* name) {
  if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
}

std::string_view last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const std::size_t newline = text.rfind('\n');
  return newline == std::string_view::npos ? text : text.substr(newline + 1);
}

/// The line that says most: git's "fatal:" and "error:" before ssh's chatter.
std::string_view telling_line(std::string_view errors) {
  for (const std::string_view prefix : {"fatal: ", "error: "}) {
    std::size_t at = errors.starts_with(prefix) ? 0 : errors.find("\n" + std::string(prefix));
    if (at == std::string_view::npos) continue;
    if (errors[at] == '\n') ++at;
    const std::string_view rest = errors.substr(at + prefix.size());
    return rest.substr(0, rest.find('\n'));
  }
  return last_line(errors);
}

struct Advice {
  const char* symptom;
  const char* says;  ///< instead of git's own line; null: that
  const char* remedy;
};
constexpr std::array<Advice, 14> kAdvice = {{
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", "the host shows another key than the one known",
     "somebody may be in between: ask who runs the host, and only then replace its line in "
     "known_hosts (source.knownHosts)"},
    {"REVOKED HOST KEY", "the host shows a key that known_hosts has as revoked",
     "somebody may be in between: ask who runs the host"},
    {"Host key verification failed", "Host key verification failed",
     "the host is not known: add its key, as who runs it publishes it, to known_hosts "
     "(source.knownHosts)"},
    {"Permission denied (publickey", nullptr,
     "give a key that the server knows with source.sshKeyFile"},
    {"could not read Username", nullptr,
     "the repository wants credentials: set source.token, or put a token into the URL"},
    {"could not read Password", nullptr,
     "the repository wants credentials: set source.token, or put a token into the URL"},
    {"Authentication failed", nullptr,
     "the server does not take the credentials: is the token (source.token) whole, not expired, "
     "and allowed to read this repository?"},
    {"response 407", nullptr,
     "the proxy wants credentials: source.proxy: http://USER:PASSWORD@HOST:PORT"},
    {"Could not resolve proxy", nullptr, "check source.proxy, or the variable https_proxy"},
    {"Could not resolve host", nullptr, "check the host name and DNS"},
    {"does not appear to be a git repository", nullptr, "check the path of the source"},
    {"' not found", nullptr,
     "check the URL; who may not read a repository is told the same: check source.token"},
    {"error: 403", nullptr, "the token (source.token) may not read this repository"},
    {"terminal prompts disabled", nullptr,
     "the repository wants credentials: set source.token, or put a token into the URL"},
}};

/// What git runs when a host asks who is there (gitcredentials(7)). The token is in the
/// environment, which is for the user's own eyes; an argument list is for everybody's.
constexpr const char* kCredentialHelper =
    "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' "
    "\"$HEADGATE_GIT_USER\" \"$HEADGATE_GIT_PASSWORD\"; }; f";

}  // namespace

GitCommand::GitCommand(Location location, GitAccess access, const std::string& state_directory)
    : location_(std::move(location)),
      access_(std::move(access)),
      user_(location_.user),
      password_(location_.password),
      config_path_(state_directory + "/gitconfig") {}

Status GitCommand::use_token(const std::string& user, const schema::Redacted& token) {
  if (token.reveal().find_first_of("\r\n") != std::string::npos || token.empty())
    return fail(Blame::Config, "the token is {}",
                token.empty() ? "empty" : "more than one line: one is expected");
  user_ = user;
  password_ = token;
  return {};
}

std::vector<std::string> GitCommand::secrets() const {
  std::vector<std::string> secrets = secrets_of(location_);
  secrets.push_back(password_.reveal());
  if (const std::size_t at = access_.proxy.rfind('@'); at != std::string::npos) {
    const std::size_t scheme = access_.proxy.find("://") + 3;
    secrets.push_back(access_.proxy.substr(scheme, at - scheme));
  }
  return secrets;
}

Status GitCommand::prepare() {
  const int fd = ::open(config_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string_view text = kConfiguration;
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!written) return fail(Blame::Self, "writing {}: {}", config_path_, std::strerror(error));
  return {};
}

std::string GitCommand::ssh_command() const {
  std::string command =
      "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ForwardAgent=no "
      "-o PermitLocalCommand=no -o ControlMaster=no -o ControlPath=none -o ConnectTimeout=15 -o "
      "ServerAliveInterval=15 -o UpdateHostKeys=no -o VerifyHostKeyDNS=no "
      "-o KnownHostsCommand=none";
  if (!access_.ssh_key_file.empty())
    command += " -o IdentitiesOnly=yes -i " + shell_quote(access_.ssh_key_file);
  if (!access_.known_hosts.empty())
    command += " -o GlobalKnownHostsFile=/dev/null -o " +
               shell_quote("UserKnownHostsFile=\"" + access_.known_hosts + "\"");
  return command;
}

std::vector<std::string> GitCommand::environment() const {
  std::vector<std::string> environment = {
      "LC_ALL=C",
      "GIT_CONFIG_NOSYSTEM=1",
      "GIT_CONFIG_GLOBAL=" + config_path_,
      "GIT_TERMINAL_PROMPT=0",
      "GIT_ASKPASS=/bin/false",
      "SSH_ASKPASS=/bin/false",
      "GIT_ALLOW_PROTOCOL=file:https:ssh:http:git",
      "GIT_OPTIONAL_LOCKS=0",
      "GIT_SSH_VARIANT=ssh",
      "GIT_SSH_COMMAND=" + ssh_command(),
  };
  for (const char* name : {"PATH", "HOME", "TMPDIR", "https_proxy", "HTTPS_PROXY", "http_proxy",
                           "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE",
                           "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK"})
    pass_on(environment, name);
  std::vector<std::pair<std::string, std::string>> settings;
  if (!access_.proxy.empty()) settings.emplace_back("http.proxy", access_.proxy);
  if (location_.is_http() && !(user_.empty() && password_.empty())) {
    settings.emplace_back(
        fmt::format("credential.{}://{}.helper", location_.unauthenticated() ? "http" : "https",
                    location_.authority),
        kCredentialHelper);
    environment.push_back("HEADGATE_GIT_USER=" + user_);
    environment.push_back("HEADGATE_GIT_PASSWORD=" + password_.reveal());
  }
  environment.push_back(fmt::format("GIT_CONFIG_COUNT={}", settings.size()));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    environment.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", i, settings[i].first));
    environment.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, settings[i].second));
  }
  return environment;
}

std::string GitCommand::explain(const Outcome& outcome, Duration deadline) const {
  switch (outcome.end) {
    case Outcome::End::TimedOut:
      return fmt::format("no answer within {} (source.timeout)", format_duration(deadline));
    case Outcome::End::Cancelled:
    case Outcome::End::Starved:  // is run again
      return "stopped";
    case Outcome::End::Signalled:
      return fmt::format("git was killed by signal {}", outcome.code);
    case Outcome::End::Exited:
      break;
  }
  std::string_view message = telling_line(outcome.errors);
  std::string remedy;
  for (const Advice& advice : kAdvice) {
    if (outcome.errors.find(advice.symptom) == std::string::npos) continue;
    if (advice.says != nullptr) message = advice.says;
    remedy = std::string("; ") + advice.remedy;
    break;
  }
  if (message.empty()) return fmt::format("git ended with status {}", outcome.code);
  return redact(secrets(), message) + remedy;
}

Result<std::string> GitCommand::run(std::vector<std::string> arguments, Duration deadline,
                                    const Cancellation* cancellation) {
  Command command;
  command.argv = {"git"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = environment();
  command.deadline = deadline;
  command.max_output_bytes = kMaxOutputBytes;
  // Where requests leave idle time, git takes nothing else; where they do not, it keeps a share, or
  // a fetch would not end.
  command.only_when_idle = idle_time_.is_left();
  HG_TRY(Outcome outcome, run_process(command, cancellation), "running git");
  if (outcome.end == Outcome::End::Starved) {
    command.only_when_idle = false;
    HG_TRY(outcome, run_process(command, cancellation), "running git");
  }
  if (outcome.ok()) return std::move(outcome.output);
  auto failure = fail(Blame::Self, "{}", explain(outcome, deadline));
  if (outcome.end != Outcome::End::Exited) failure.value().retry = Retry::SameOrigin;
  return failure;
}

}  // namespace headgate::reconciler
