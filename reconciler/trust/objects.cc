// SPDX-License-Identifier: MIT
// What verification reads of a repository: commits as they are stored, ranges of them, and which
// files differ.
#include "reconciler/trust/objects.h"

#include <git2.h>

#include <algorithm>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxCommits = 100'000;
constexpr std::size_t kMaxChanges = 400'000;
constexpr std::size_t kMaxCommitOctets = std::size_t{1} << 20;
constexpr std::size_t kMaxContentOctets = std::size_t{1} << 20;
constexpr int kMaxDepth = 64;
constexpr unsigned kGroupWritable = 0100664;  ///< of files in old repositories

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

Result<git_oid> parse_id(const std::string& text) {
  git_oid id;
  if (git_oid_fromstr(&id, text.c_str()) != 0)
    return fail(Blame::Self, "{} is not an id", schema::in_quotes(text));
  return id;
}

/// An object as it is stored, its hash checked (GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION).
Result<std::string> read_object(git_repository* repository, const std::string& id,
                                git_object_t type, std::size_t limit) {
  HG_TRY(const git_oid oid, parse_id(id), "reading");
  git_odb* objects = nullptr;
  if (git_repository_odb(&objects, repository) != 0) return fail(Blame::Self, "{}", last_error());
  const Handle<git_odb> objects_owner(objects, git_odb_free);
  std::size_t size = 0;
  git_object_t found = GIT_OBJECT_INVALID;
  if (git_odb_read_header(&size, &found, objects, &oid) != 0)
    return fail(Blame::Self, "{}: {}", id, last_error());
  if (found != type) return fail(Blame::Config, "{} is not a {}", id, git_object_type2string(type));
  if (size > limit) return fail(Blame::Config, "{} is larger than {}", id, format_size(limit));
  git_odb_object* object = nullptr;
  if (git_odb_read(&object, objects, &oid) != 0)
    return fail(Blame::Self, "{}: {}", id, last_error());
  const Handle<git_odb_object> owner(object, git_odb_object_free);
  return std::string(static_cast<const char*>(git_odb_object_data(object)),
                     git_odb_object_size(object));
}

bool is_folder(const TreeFile& file) { return file.mode == GIT_FILEMODE_TREE; }

TreeFile file_of(const git_tree_entry* entry) {
  return {static_cast<unsigned>(git_tree_entry_filemode(entry)), hex(*git_tree_entry_id(entry))};
}

bool is_good_mode(unsigned mode) {
  return mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_BLOB ||
         mode == GIT_FILEMODE_BLOB_EXECUTABLE || mode == GIT_FILEMODE_LINK ||
         mode == GIT_FILEMODE_COMMIT || mode == kGroupWritable;
}

/// Git's order of a folder's entries: a folder's name counts as if it ended in a slash.
bool is_in_order(const git_tree_entry* before, const git_tree_entry* after) {
  const auto key = [](const git_tree_entry* entry) {
    const bool folder = git_tree_entry_filemode(entry) == GIT_FILEMODE_TREE;
    return std::string(git_tree_entry_name(entry)) + (folder ? "/" : "");
  };
  return key(before) < key(after);
}

bool is_good_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && schema::to_lower(name) != ".git" &&
         name.find('/') == std::string_view::npos;
}

}  // namespace

struct Objects::Walk {
  Changes changes;
};

Result<const CommitObject*> Objects::commit(const std::string& id) {
  if (const auto known = commits_.find(id); known != commits_.end()) return known->second.get();
  HG_TRY(const std::string octets,
         read_object(repository_.get(), id, GIT_OBJECT_COMMIT, kMaxCommitOctets), "commit {}", id);
  HG_TRY(CommitObject commit, parse_commit(id, octets), "{}", id);
  auto& kept = commits_[id];
  kept = std::make_unique<CommitObject>(std::move(commit));
  return kept.get();
}

Result<std::vector<std::string>> Objects::range(const std::string& base, const std::string& head) {
  git_revwalk* walk = nullptr;
  HG_TRY(const git_oid head_id, parse_id(head), "range");
  if (git_revwalk_new(&walk, repository_.get()) != 0) return fail(Blame::Self, "{}", last_error());
  const Handle<git_revwalk> owner(walk, git_revwalk_free);
  git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
  if (git_revwalk_push(walk, &head_id) != 0) return fail(Blame::Self, "{}", last_error());
  if (!base.empty()) {
    HG_TRY(const git_oid base_id, parse_id(base), "range");
    if (git_revwalk_hide(walk, &base_id) != 0) return fail(Blame::Self, "{}", last_error());
  }
  std::vector<std::string> ids;
  git_oid id;
  int result = 0;
  while ((result = git_revwalk_next(&id, walk)) == 0) {
    if (ids.size() >= kMaxCommits)
      return fail(Blame::Config,
                  "more than {} commits at once; push fewer, or have the machine's "
                  "operator name one of them as trusted",
                  kMaxCommits);
    ids.push_back(hex(id));
  }
  if (result != GIT_ITEROVER) return fail(Blame::Self, "{}", last_error());
  return ids;
}

Result<Objects::Entries> Objects::entries(const std::string& tree) {
  Entries entries;
  if (tree.empty()) return entries;
  HG_TRY(const git_oid id, parse_id(tree), "tree");
  git_tree* handle = nullptr;
  if (git_tree_lookup(&handle, repository_.get(), &id) != 0)
    return fail(Blame::Self, "tree {}: {}", tree, last_error());
  const Handle<git_tree> owner(handle, git_tree_free);
  for (std::size_t i = 0; i < git_tree_entrycount(handle); ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(handle, i);
    const std::string name = git_tree_entry_name(entry);
    // A name that occurs twice, or a mode that one reader takes for a folder and the next one for a
    // file, would be two things at once; who searches does not find what is not in its place.
    if (!is_good_name(name) || !is_good_mode(git_tree_entry_filemode_raw(entry)) ||
        (i > 0 && !is_in_order(git_tree_entry_byindex(handle, i - 1), entry)) ||
        !entries.emplace(name, file_of(entry)).second)
      return fail(Blame::Config, "the tree {} has an entry {} that git would not write", tree,
                  schema::in_quotes(name));
  }
  return entries;
}

Result<Changes> Objects::changes(const std::string& before, const std::string& after) {
  Walk walk;
  HG_CHECK(compare(walk, before, after, "", 0), "comparing");
  return std::move(walk.changes);
}

Status Objects::compare(Walk& walk, const std::string& before, const std::string& after,
                        const std::string& folder, int depth) {
  if (before == after) return {};
  if (depth > kMaxDepth)
    return fail(Blame::Config, "{}: folders nested deeper than {}", schema::in_quotes(folder),
                kMaxDepth);
  HG_TRY(const Entries old_entries, entries(before), "{}", schema::in_quotes(folder));
  HG_TRY(const Entries new_entries, entries(after), "{}", schema::in_quotes(folder));
  for (const auto& [name, file] : new_entries) {
    const auto found = old_entries.find(name);
    const TreeFile old = found == old_entries.end() ? TreeFile() : found->second;
    if (Status done = compare_entry(walk, old, file, folder + name, depth); !done) return done;
  }
  for (const auto& [name, file] : old_entries) {
    if (new_entries.count(name) > 0) continue;
    if (Status done = compare_entry(walk, file, TreeFile(), folder + name, depth); !done)
      return done;
  }
  return {};
}

Status Objects::compare_entry(Walk& walk, const TreeFile& before, const TreeFile& after,
                              const std::string& path, int depth) {
  if (before == after) return {};
  if (walk.changes.size() >= kMaxChanges)
    return fail(Blame::Config, "more than {} files change at once", kMaxChanges);
  const bool was_file = before.exists() && !is_folder(before);
  const bool is_file = after.exists() && !is_folder(after);
  if (was_file || is_file) walk.changes[path] = is_file ? after : TreeFile();
  if (is_folder(before) || is_folder(after))
    return compare(walk, is_folder(before) ? before.id : "", is_folder(after) ? after.id : "",
                   path + "/", depth + 1);
  return {};
}

Result<TreeFile> Objects::file(const std::string& tree, const std::string& path) {
  TreeFile at{GIT_FILEMODE_TREE, tree};
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (!is_folder(at)) return TreeFile();
    HG_TRY(const git_oid id, parse_id(at.id), "tree");
    git_tree* handle = nullptr;
    if (git_tree_lookup(&handle, repository_.get(), &id) != 0)
      return fail(Blame::Self, "tree {}: {}", at.id, last_error());
    const Handle<git_tree> owner(handle, git_tree_free);
    const git_tree_entry* entry =
        git_tree_entry_byname(handle, path.substr(begin, end - begin).c_str());
    if (entry == nullptr) return TreeFile();
    at = file_of(entry);
    begin = end + 1;
  }
  return is_folder(at) ? TreeFile() : at;
}

Result<std::string> Objects::content(const TreeFile& file) {
  if (file.mode != GIT_FILEMODE_BLOB && file.mode != GIT_FILEMODE_BLOB_EXECUTABLE)
    return fail(Blame::Config, "it is not a file");
  return read_object(repository_.get(), file.id, GIT_OBJECT_BLOB, kMaxContentOctets);
}

}  // namespace headgate::reconciler
