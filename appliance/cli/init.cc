// SPDX-License-Identifier: MIT
// `headgate init`: a small, commented, valid configuration repository.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "appliance/cli/command.h"
#include "schema/base/result.h"

namespace headgate::cli {
namespace {

namespace fs = std::filesystem;

struct NewFile {
  const char* path;
  const char* content;
};

constexpr const char* kDistribution =
    R"(# A distribution: the names that it answers to, where its content comes from, and how paths are treated.
apiVersion: headgate/v1
kind: Distribution
metadata:
  name: site
spec:
  comment: My site
  # Names, *.example.com, IP addresses, or "*" for whatever no other distribution claims.
  aliases: ["*"]

  origins:
    - id: app
      # A name or an address, without a port. `headgate demo-origin --listen 127.0.0.1:9001` answers here.
      domainName: 127.0.0.1
      custom:
        originProtocolPolicy: http-only
        httpPort: 9001

  # For every path that no entry of cacheBehaviors matches.
  defaultCacheBehavior:
    targetOriginId: app
    viewerProtocolPolicy: allow-all # or redirect-to-https, https-only
    cachePolicy: pages
    responseHeadersPolicy: brand

  # The first match wins.
  cacheBehaviors:
    - pathPattern: /api/*
      targetOriginId: app
      viewerProtocolPolicy: allow-all
      allowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]
      cachePolicy: Managed-CachingDisabled
)";

constexpr const char* kPolicies =
    R"(# What is in the cache key, and for how long responses without a Cache-Control of their own are kept.
apiVersion: headgate/v1
kind: CachePolicy
metadata:
  name: pages
spec:
  minTTL: 0s
  defaultTTL: 5m
  maxTTL: 1d
  parametersInCacheKeyAndForwardedToOrigin:
    queryStrings: { behavior: all }
---
# Headers of every response, set when it is sent: an edit acts at once, also on what is cached already.
apiVersion: headgate/v1
kind: ResponseHeadersPolicy
metadata:
  name: brand
spec:
  customHeaders:
    - { header: X-Site, value: hello, override: true }
  removeHeaders: [Server]
)";

constexpr const char* kExpect =
    R"(# Cases that must hold: `headgate test` runs them, and every edge does before a commit goes live.
apiVersion: headgate/v1
kind: Expect
metadata:
  name: site
spec:
  distribution: site
  cases:
    - request: { url: "http://www.example.com/" }
      expect: { behavior: "*", originId: app, ttl: 5m }
    - request: { method: POST, url: "http://www.example.com/api/orders" }
      expect: { behavior: /api/*, cached: false }
)";

constexpr const char* kReadme =
    R"(# Configuration of the edge

Every `*.yaml` here is read; folders are for people. A commit to the branch that the edge follows goes live by itself.

    headgate validate     what is wrong, with file, line and column
    headgate test         the cases in expect.yaml
    headgate diff         what the files on disk would change
    headgate explain GET http://www.example.com/

To purge, commit an invalidation; it runs once:

    apiVersion: headgate/v1
    kind: Invalidation
    metadata: { name: 2026-01-31-new-prices }
    spec:
      distribution: site
      select: { paths: ["/images/*"] }
)";

constexpr std::array<NewFile, 4> kFiles = {{{"distributions/site.yaml", kDistribution},
                                            {"policies/site.yaml", kPolicies},
                                            {"expect.yaml", kExpect},
                                            {"README.md", kReadme}}};

Status write_new(const fs::path& path, std::string_view content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return fail(Blame::Config, "{}: {}", path.parent_path().string(), error.message());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return fail(Blame::Config, "{}: {}", path.string(), std::strerror(errno));
  const ssize_t written = ::write(fd, content.data(), content.size());
  const int reason = errno;
  ::close(fd);
  if (written != static_cast<ssize_t>(content.size()))
    return fail(Blame::Self, "{}: {}", path.string(), std::strerror(reason));
  return {};
}

Status write_all(const fs::path& folder) {
  std::error_code error;
  for (const NewFile& file : kFiles)
    if (fs::exists(fs::symlink_status(folder / file.path, error)))
      return fail(Blame::Config, "{} is there already; nothing was written. Choose an empty folder",
                  (folder / file.path).string());
  for (const NewFile& file : kFiles) HG_CHECK(write_new(folder / file.path, file.content), "init");
  return {};
}

int run(const std::string& folder) {
  if (const Status written = write_all(folder); !written) {
    complain(written.error().context);
    return kFailure;
  }
  for (const NewFile& file : kFiles) fmt::print("{}\n", (fs::path(folder) / file.path).string());
  std::error_code error;
  const std::string cd = folder == "." ? "" : fmt::format("  cd {}\n", folder);
  const std::string init =
      fs::exists(fs::path(folder) / ".git", error) ? "" : "  git init --initial-branch main\n";
  fmt::print(
      "\nNext:\n{}{}  git add . && git commit -m 'first configuration'\n"
      "  headgate demo-origin --listen 127.0.0.1:9001 &\n"
      "  headgate run --source . --state /tmp/headgate --http 127.0.0.1:8080\n"
      "  curl -i http://127.0.0.1:8080/\n",
      cd, init);
  return kOk;
}

}  // namespace

void add_init(CLI::App& program, int* exit_code) {
  const auto folder = std::make_shared<std::string>(".");
  CLI::App* command =
      program.add_subcommand("init", "Write a small, commented configuration repository.");
  command->add_option("folder", *folder, "Where; it is made when missing.")
      ->type_name("DIR")
      ->take_last()
      ->capture_default_str();
  command->footer(
      "A distribution, its policies, and cases that test them. Nothing is overwritten: when one of "
      "the files\n"
      "is there already, none is written.\n\n"
      "Example: headgate init site\n"
      "Exit codes: 0 written, 1 not written.");
  command->callback([folder, exit_code] { *exit_code = run(*folder); });
}

}  // namespace headgate::cli
