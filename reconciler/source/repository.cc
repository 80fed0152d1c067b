// SPDX-License-Identifier: MIT
// Reads a git repository: names to commits, commits to trees. Never writes; nothing in the
// repository can make it run anything.
#include "reconciler/source/repository.h"

#include <git2.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "reconciler/source/objects/object_backend.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxEntries = 200'000;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxMessages = 1000;
constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMaxKnownBlobBytes = 64 << 10;
constexpr std::size_t kMaxKnownBytes = 64 << 20;

// What an entry's id begins with when there is no file behind it.
const std::string kLink = "link ";
const std::string kSubmodule = "submodule ";

template <class T>
using Handle = std::unique_ptr<T, void (*)(T*)>;

std::string last_error() {
  const git_error* error = git_error_last();
  return error != nullptr && error->message != nullptr ? schema::escape_control(error->message)
                                                       : "unknown error";
}

std::string hex(const git_oid& id) {
  std::string text(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(text.data(), &id);
  return text;
}

std::shared_ptr<git_repository> share(git_repository* repository) {
  return {repository, git_repository_free};
}

/// libgit2 for the rest of the process: to start it reads all certificates of the system.
class Library {
 public:
  Library() {
    git_libgit2_init();
    // Only objects and refs are read; no configuration of a repository can run anything, whoever
    // owns it.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_BLOB, static_cast<std::size_t>(0));
  }
  ~Library() { git_libgit2_shutdown(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

void start_library() { static const Library library; }

Result<Handle<git_commit>> find_commit(git_repository* repository, const std::string& id) {
  git_oid oid;
  git_commit* commit = nullptr;
  if (git_oid_fromstr(&oid, id.c_str()) != 0 || git_commit_lookup(&commit, repository, &oid) != 0)
    return fail(Blame::Self, "commit {}: {}", schema::in_quotes(id), last_error());
  return Handle<git_commit>(commit, git_commit_free);
}

/// Of a commit, or the tree itself.
Result<Handle<git_tree>> find_tree(git_repository* repository, const std::string& id) {
  git_oid oid;
  git_object* object = nullptr;
  if (git_oid_fromstr(&oid, id.c_str()) != 0 ||
      git_object_lookup(&object, repository, &oid, GIT_OBJECT_ANY) != 0)
    return fail(Blame::Self, "{}: {}", schema::in_quotes(id), last_error());
  const Handle<git_object> owner(object, git_object_free);
  git_object* tree = nullptr;
  if (git_object_peel(&tree, object, GIT_OBJECT_TREE) != 0)
    return fail(Blame::Self, "tree of {}: {}", id, last_error());
  return Handle<git_tree>(reinterpret_cast<git_tree*>(tree), git_tree_free);
}

std::string utc(std::int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

struct Walk {
  using Kind = schema::Tree::Entry::Kind;
  git_repository* repository;
  std::vector<schema::Tree::Entry>& entries;

  Status folder(const git_tree* tree, const std::string& prefix, int depth) {
    if (depth > kMaxDepth)
      return fail(Blame::Config, "{}: folders nested deeper than {}", schema::in_quotes(prefix),
                  kMaxDepth);
    const std::size_t count = git_tree_entrycount(tree);
    for (std::size_t i = 0; i < count; ++i) {
      const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
      const std::string path = prefix + git_tree_entry_name(entry);
      HG_CHECK(one(entry, path, depth), "{}", schema::escape_control(path));
    }
    return {};
  }

  Status one(const git_tree_entry* entry, const std::string& path, int depth) {
    const git_oid* id = git_tree_entry_id(entry);
    switch (git_tree_entry_filemode(entry)) {
      case GIT_FILEMODE_TREE: {
        git_tree* child = nullptr;
        if (git_tree_lookup(&child, repository, id) != 0)
          return fail(Blame::Self, "{}", last_error());
        const Handle<git_tree> owner(child, git_tree_free);
        return folder(child, path + "/", depth + 1);
      }
      case GIT_FILEMODE_COMMIT:
        entries.push_back({path, kSubmodule + hex(*id), 0, Kind::Submodule});
        return {};
      case GIT_FILEMODE_LINK:
        entries.push_back({path, kLink + hex(*id), 0, Kind::Link});
        return {};
      default:
        return file(id, path);
    }
  }

  Status file(const git_oid* id, const std::string& path) {
    if (entries.size() >= kMaxEntries)
      return fail(Blame::Config, "more than {} files in the repository", kMaxEntries);
    entries.push_back({path, hex(*id), 0, Kind::File});
    return {};
  }
};

/// Sets the sizes of the files, and returns all of them; those that the last tree had are not asked
/// for again.
Result<std::unordered_map<std::string, std::size_t>> measure(
    ObjectReader& reader, const std::unordered_map<std::string, std::size_t>& known,
    std::vector<schema::Tree::Entry>& entries) {
  std::unordered_map<std::string, std::size_t> sizes;
  std::vector<std::string> unknown;
  for (const auto& entry : entries) {
    if (entry.kind != schema::Tree::Entry::Kind::File) continue;
    const auto seen = known.find(entry.id);
    const bool is_new = sizes.emplace(entry.id, seen != known.end() ? seen->second : 0).second;
    if (is_new && seen == known.end()) unknown.push_back(entry.id);
  }
  HG_TRY(const auto headers, reader.headers(unknown), "sizes of files");
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    if (!headers[i] || headers[i]->type != "blob")
      return fail(Blame::Self, "no file, or a damaged one: {}", unknown[i]);
    sizes[unknown[i]] = headers[i]->size;
  }
  for (auto& entry : entries)
    if (entry.kind == schema::Tree::Entry::Kind::File) entry.size = sizes[entry.id];
  return sizes;
}

/// Leaves the contents of files that are in the last tree.
void forget_contents(KnownBlobs& known) {
  std::erase_if(known.contents, [&](const auto& content) {
    if (known.sizes.contains(content.first)) return false;
    known.content_bytes -= content.second.size();
    return true;
  });
}

void remember_content(KnownBlobs& known, const std::string& id, const std::string& content) {
  if (content.size() > kMaxKnownBlobBytes || known.content_bytes + content.size() > kMaxKnownBytes)
    return;
  if (known.contents.emplace(id, content).second) known.content_bytes += content.size();
}

}  // namespace

GitTree::~GitTree() = default;

Result<std::string> GitTree::read(const Entry& entry) const {
  git_oid id;
  git_blob* blob = nullptr;
  if (entry.kind == Entry::Kind::Link) return fail(Blame::Config, "symbolic links are not read");
  if (entry.kind == Entry::Kind::Submodule) return fail(Blame::Config, "submodules are not read");
  if (entry.size > kMaxBlobBytes)
    return fail(Blame::Config, "larger than {}", format_size(kMaxBlobBytes));
  if (const auto seen = known_->contents.find(entry.id); seen != known_->contents.end())
    return seen->second;
  if (git_oid_fromstr(&id, entry.id.c_str()) != 0 ||
      git_blob_lookup(&blob, repository_.get(), &id) != 0) {
    damaged_ = true;
    return fail(Blame::Self, "reading {}: {}", schema::in_quotes(entry.path), last_error());
  }
  const Handle<git_blob> owner(blob, git_blob_free);
  std::string content(static_cast<const char*>(git_blob_rawcontent(blob)),
                      static_cast<std::size_t>(git_blob_rawsize(blob)));
  remember_content(*known_, entry.id, content);
  return content;
}

Result<Repository> Repository::open(const std::string& path, unsigned flags) {
  start_library();
  git_repository* handle = nullptr;
  if (git_repository_open_ext(&handle, path.c_str(), flags, nullptr) != 0)
    return fail(Blame::Config, "{}", last_error());
  auto shared = share(handle);
  auto reader = std::make_shared<ObjectReader>(git_repository_path(handle));
  HG_CHECK(read_objects_by(reader, handle), "{}", path);
  return Repository(std::move(shared), std::move(reader));
}

Result<Repository> Repository::open(const std::string& path) {
  auto opened = open(path, GIT_REPOSITORY_OPEN_NO_SEARCH);
  if (!opened && opened.error().blame == Blame::Config)
    return fail(Blame::Config, "{} is not a git repository: {}", path, opened.error().context);
  return opened;
}

Result<Repository> Repository::discover(const std::string& path) {
  auto opened = open(path, 0);
  if (!opened && opened.error().blame == Blame::Config)
    return fail(Blame::Config, "{} is not inside a git repository", path);
  return opened;
}

Result<std::string> Repository::resolve(const std::string& revision) const {
  git_object* object = nullptr;
  if (git_revparse_single(&object, handle_.get(), revision.c_str()) != 0)
    return fail(Blame::Config, "no commit is called {}: {}", schema::in_quotes(revision),
                last_error());
  const Handle<git_object> owner(object, git_object_free);
  git_object* commit = nullptr;
  if (git_object_peel(&commit, object, GIT_OBJECT_COMMIT) != 0)
    return fail(Blame::Config, "{} is not a commit: {}", schema::in_quotes(revision), last_error());
  const Handle<git_object> commit_owner(commit, git_object_free);
  return hex(*git_object_id(commit));
}

bool Repository::has_ref(const std::string& name) const {
  git_oid id;
  return git_reference_name_to_id(&id, handle_.get(), name.c_str()) != GIT_ENOTFOUND;
}

Result<CommitInfo> Repository::describe(const std::string& commit) const {
  HG_TRY(auto handle, find_commit(handle_.get(), commit), "describing");
  CommitInfo info;
  info.id = commit;
  const char* summary = git_commit_summary(handle.get());
  if (summary != nullptr) info.subject = summary;
  if (const git_signature* author = git_commit_author(handle.get())) info.author = author->name;
  info.time = utc(git_commit_time(handle.get()));
  return info;
}

Result<std::unique_ptr<GitTree>> Repository::tree(const std::string& commit) const {
  HG_TRY(const auto root, find_tree(handle_.get(), commit), "reading");
  std::unique_ptr<GitTree> tree(new GitTree());
  tree->repository_ = handle_;
  tree->known_ = known_;
  Walk walk{handle_.get(), tree->entries_};
  HG_CHECK(walk.folder(root.get(), "", 0), "tree of {}", commit);
  HG_TRY(known_->sizes, measure(*reader_, known_->sizes, tree->entries_), "tree of {}", commit);
  forget_contents(*known_);
  std::sort(tree->entries_.begin(), tree->entries_.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return tree;
}

Result<std::vector<CommitMessage>> Repository::messages(const std::string& since,
                                                        const std::string& commit) const {
  std::vector<CommitMessage> messages;
  git_oid head;
  git_oid base;
  git_revwalk* walk = nullptr;
  if (git_oid_fromstr(&head, commit.c_str()) != 0 || git_revwalk_new(&walk, handle_.get()) != 0)
    return fail(Blame::Self, "messages of commits: {}", last_error());
  const Handle<git_revwalk> owner(walk, git_revwalk_free);
  const bool has_base =
      git_oid_fromstr(&base, since.c_str()) == 0 && git_revwalk_hide(walk, &base) == 0;
  const std::size_t count = has_base ? kMaxMessages : 1;
  if (git_revwalk_push(walk, &head) != 0)
    return fail(Blame::Self, "messages of commits: {}", last_error());
  while (messages.size() < count) {
    git_oid id;
    const int result = git_revwalk_next(&id, walk);
    if (result == GIT_ITEROVER) break;
    if (result != 0) return fail(Blame::Self, "messages of commits: {}", last_error());
    HG_TRY(const auto handle, find_commit(handle_.get(), hex(id)), "messages of commits");
    const char* message = git_commit_message(handle.get());
    if (message != nullptr) messages.push_back({hex(id), message});
  }
  return messages;
}

void Repository::add_objects(const std::string& folder) { reader_->add(folder); }

bool Repository::is_ancestor(const std::string& ancestor, const std::string& commit) const {
  if (ancestor == commit) return true;
  git_oid older;
  git_oid newer;
  return git_oid_fromstr(&older, ancestor.c_str()) == 0 &&
         git_oid_fromstr(&newer, commit.c_str()) == 0 &&
         git_graph_descendant_of(handle_.get(), &newer, &older) == 1;
}

std::string Repository::working_folder() const {
  const char* folder = git_repository_workdir(handle_.get());
  return folder != nullptr ? folder : "";
}

bool Repository::is_in_lfs(const std::string& path) const {
  const char* filter = nullptr;
  return git_attr_get(&filter, handle_.get(), GIT_ATTR_CHECK_FILE_THEN_INDEX, path.c_str(),
                      "filter") == 0 &&
         git_attr_value(filter) == GIT_ATTR_VALUE_STRING && std::string_view(filter) == "lfs";
}

bool Repository::ignores(const std::string& path) const {
  int ignored = 0;
  return git_ignore_path_is_ignored(&ignored, handle_.get(), path.c_str()) == 0 && ignored == 1;
}

}  // namespace headgate::reconciler
