// SPDX-License-Identifier: MIT
// The repository of `headgate run --receive`: what is pushed into it is judged before it is there.
#include "appliance/cli/run/receiver.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reconciler/process/process.h"
#include "schema/text.h"

namespace headgate::cli {
namespace {

namespace fs = std::filesystem;
using reconciler::Json;

constexpr Duration kGitDeadline = std::chrono::seconds(30);
constexpr const char* kMark = "# Written by headgate run --receive at every start.";
constexpr std::string_view kQuarantine = "tmp_objdir-incoming-";  ///< git 2.33 and later
constexpr std::string_view kQuarantineBefore = "incoming-";

Status run_git(std::vector<std::string> arguments) {
  reconciler::Command command;
  command.argv = {"git"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {"LC_ALL=C"};
  for (const char* name : {"PATH", "HOME"})
    if (const char* value = std::getenv(name))
      command.environment.push_back(std::string(name) + "=" + value);
  command.deadline = kGitDeadline;
  HG_TRY(const reconciler::Outcome outcome, reconciler::run_process(command, nullptr), "git");
  if (outcome.ok()) return {};
  return fail(Blame::Config, "git {}: {}", arguments.back(),
              schema::escape_control(outcome.errors.empty() ? outcome.output : outcome.errors));
}

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Empty when there is none.
std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Status write_hook(const fs::path& path, const std::string& command) {
  if (const std::string there = content_of(path);
      !there.empty() && there.find(kMark) == std::string::npos)
    return fail(Blame::Config, "{} is somebody else's: move it away, and call it from there",
                path.string());
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  // A push that is under way runs the one before, whole.
  const fs::path unfinished = path.string() + ".new";
  std::ofstream file(unfinished, std::ios::binary);
  file << "#!/bin/sh\n" << kMark << " Changes are lost.\nexec " << command << "\n";
  file.close();
  if (file) fs::permissions(unfinished, static_cast<fs::perms>(0755), error);
  if (file && !error) fs::rename(unfinished, path, error);
  if (!file || error) return fail(Blame::Config, "{} cannot be written", path.string());
  return {};
}

bool is_quarantine(const std::string& name) {
  return (name.starts_with(kQuarantine) || name.starts_with(kQuarantineBefore)) &&
         name.find('/') == std::string::npos;
}

bool is_nothing(const std::string& id) { return id.find_first_not_of('0') == std::string::npos; }

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

bool is_followed(const std::string& name, const std::string& ref) {
  return name == ref || name == "refs/heads/" + ref || name == "refs/tags/" + ref;
}

Result<Receiver> Receiver::open(std::string folder, std::string ref) {
  std::error_code error;
  if (!fs::exists(fs::path(folder) / "HEAD", error)) {
    const std::string branch = ref.starts_with("refs/heads/") ? ref.substr(11) : ref;
    HG_CHECK(run_git({"init", "--quiet", "--bare", "--initial-branch=" + branch, "--", folder}),
             "--receive {}", folder);
  }
  HG_TRY(const auto repository, reconciler::Repository::open(folder), "--receive {}", folder);
  if (!repository.working_folder().empty())
    return fail(Blame::Config, "--receive {}: it has a working folder; name a bare repository",
                folder);
  HG_CHECK(run_git({"-C", folder, "config", "receive.fsckObjects", "true"}), "--receive {}",
           folder);
  return Receiver(std::move(folder), std::move(ref));
}

Status Receiver::install_hooks(const std::string& admin) const {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail(Blame::Self, "/proc/self/exe: {}", error.message());
  std::string address = admin;  // hooks are run elsewhere
  if (constexpr std::string_view kUnix = "unix:"; admin.starts_with(kUnix))
    address = std::string(kUnix) + fs::absolute(admin.substr(kUnix.size()), error).string();
  for (const char* hook : {"pre-receive", "post-receive"})
    HG_CHECK(
        write_hook(fs::path(folder_) / "hooks" / hook,
                   fmt::format("{} hook {} --admin {} --ref {}", shell_quoted(program.string()),
                               hook, shell_quoted(address), shell_quoted(ref_))),
        "--receive");
  return {};
}

Result<std::string> Receiver::review(const reconciler::Reviewer& reviewer,
                                     const std::string& push) const {
  const Json asked = Json::parse(push, nullptr, false);
  if (!asked.is_object()) return fail(Blame::Client, "the push is not a JSON object");
  const std::string objects = text_of(asked, "objects");
  if (!objects.empty() && !is_quarantine(objects))
    return fail(Blame::Client, "{} is not where git keeps what is pushed",
                schema::in_quotes(objects));
  const auto updates = asked.find("updates");
  if (updates == asked.end() || !updates->is_array())
    return fail(Blame::Client, "the push has no updates");
  HG_TRY(auto repository, reconciler::Repository::open(folder_), "--receive");
  if (!objects.empty()) repository.add_objects(folder_ + "/objects/" + objects);

  Json answer{{"accepted", true}, {"text", ""}, {"updates", Json::array()}};
  std::string text;
  for (const Json& update : *updates) {
    if (!update.is_object()) return fail(Blame::Client, "an update is not a JSON object");
    const std::string name = text_of(update, "ref");
    const std::string after = text_of(update, "after");
    if (!is_followed(name, ref_)) {
      text += fmt::format("headgate: {} is not followed, and not looked at\n",
                          schema::escape_control(name));
    } else if (is_nothing(after)) {
      answer["accepted"] = false;
      text += fmt::format("headgate: {} is what the edge follows: it is not removed\n",
                          schema::escape_control(name));
    } else {
      HG_TRY(const reconciler::Review review, reviewer.review(repository, after), "{}", name);
      if (review.refusal) answer["accepted"] = false;
      text += to_text(review, false);
      answer["updates"].push_back(to_json(review));
    }
  }
  answer["text"] = std::move(text);
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace headgate::cli
