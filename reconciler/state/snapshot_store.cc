// SPDX-License-Identifier: MIT
// Configuration trees on local disk, so that the appliance boots with the source unreachable.
#include "reconciler/state/snapshot_store.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = "headgate snapshot 1\n";
constexpr std::string_view kHeadWithLayout = "headgate snapshot 2\n";
constexpr std::uint64_t kMaxPackedBytes = std::uint64_t{1} << 30;

bool before(const schema::Tree::Entry& entry, const std::string& path) { return entry.path < path; }

/// Takes what is before the next `end` off the front of `rest`.
std::optional<std::string_view> take_until(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

std::optional<std::string_view> take(std::string_view& rest, std::size_t count) {
  if (rest.size() < count) return std::nullopt;
  const std::string_view taken = rest.substr(0, count);
  rest.remove_prefix(count);
  return taken;
}

std::optional<std::size_t> take_number(std::string_view& rest, char end) {
  const auto text = take_until(rest, end);
  std::size_t value = 0;
  if (!text || text->empty()) return std::nullopt;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || stop != text->data() + text->size()) return std::nullopt;
  return value;
}

bool take_file(std::string_view& rest, StoredTree& tree) {
  const auto path_bytes = take_number(rest, ' ');
  const auto content_bytes = path_bytes ? take_number(rest, ' ') : std::nullopt;
  const auto id = content_bytes ? take_until(rest, '\n') : std::nullopt;
  if (!id) return false;
  const auto path = take(rest, *path_bytes);
  const auto content = path ? take(rest, *content_bytes) : std::nullopt;
  if (!content || !take_until(rest, '\n')) return false;
  tree.add({std::string(*path), std::string(*id), content->size()}, std::string(*content));
  return true;
}

std::optional<schema::Layout> take_layout(std::string_view& rest) {
  const auto path_bytes = take_number(rest, ' ');
  const auto overlay_bytes = path_bytes ? take_number(rest, '\n') : std::nullopt;
  const auto path = overlay_bytes ? take(rest, *path_bytes) : std::nullopt;
  const auto overlay = path ? take(rest, *overlay_bytes) : std::nullopt;
  if (!overlay || !take_until(rest, '\n')) return std::nullopt;
  return schema::Layout{std::string(*path), std::string(*overlay)};
}

std::string head_of(const schema::Layout& layout) {
  if (layout == schema::Layout()) return std::string(kHead);
  return fmt::format("{}{} {}\n{}{}\n", kHeadWithLayout, layout.path.size(), layout.overlay.size(),
                     layout.path, layout.overlay);
}

}  // namespace

Result<std::string> StoredTree::read(const Entry& entry) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), entry.path, before);
  if (found == entries_.end() || found->path != entry.path)
    return fail(Blame::Self, "{} is not in the snapshot", schema::in_quotes(entry.path));
  return contents_[static_cast<std::size_t>(found - entries_.begin())];
}

void StoredTree::add(Entry entry, std::string content) {
  entries_.push_back(std::move(entry));
  contents_.push_back(std::move(content));
}

Result<std::string> pack_tree(const schema::Tree& tree, std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::string packed = head_of(tree.layout());
  packed += fmt::format("{}\n", paths.size());
  for (const std::string& path : paths) {
    const auto& entries = tree.entries();
    const auto entry = std::lower_bound(entries.begin(), entries.end(), path, before);
    if (entry == entries.end() || entry->path != path)
      return fail(Blame::Self, "{} is not in the tree", schema::in_quotes(path));
    HG_TRY(const std::string content, tree.read(*entry), "packing");
    packed += fmt::format("{} {} {}\n", path.size(), content.size(), entry->id);
    packed += path;
    packed += content;
    packed += '\n';
  }
  return packed;
}

Result<std::unique_ptr<StoredTree>> unpack_tree(std::string_view packed) {
  const bool has_layout = packed.starts_with(kHeadWithLayout);
  if (!has_layout && !packed.starts_with(kHead))
    return fail(Blame::Self, "not a snapshot of headgate");
  std::string_view rest = packed.substr(kHead.size());
  const auto layout = has_layout ? take_layout(rest) : schema::Layout();
  if (!layout) return fail(Blame::Self, "the snapshot does not say where the configuration is");
  const auto count = take_number(rest, '\n');
  if (!count) return fail(Blame::Self, "the snapshot has no count of files");
  auto tree = std::make_unique<StoredTree>();
  tree->set_layout(*layout);
  for (std::size_t i = 0; i < *count; ++i)
    if (!take_file(rest, *tree))
      return fail(Blame::Self, "the snapshot ends in file {} of {}", i + 1, *count);
  if (!rest.empty()) return fail(Blame::Self, "the snapshot has {} octets too many", rest.size());
  return tree;
}

std::string digest_of(std::string_view packed) { return schema::sha256_hex(packed); }

Status SnapshotStore::write(const std::string& digest, std::string_view packed) {
  if (const auto present = read_file(path_of(digest), kMaxPackedBytes);
      present && *present == packed)
    return {};
  HG_CHECK(replace_file(disk_, path_of(digest), packed), "writing the snapshot");
  return {};
}

Result<std::unique_ptr<StoredTree>> SnapshotStore::read(const std::string& digest) const {
  HG_TRY(const std::string packed, read_file(path_of(digest), kMaxPackedBytes),
         "reading the snapshot");
  if (digest_of(packed) != digest)
    return fail(Blame::Self, "{}: damaged: its content does not have this digest", path_of(digest));
  return unpack_tree(packed);
}

void SnapshotStore::keep_only(const std::vector<std::string>& digests) {
  std::error_code error;
  std::vector<std::string> old;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::find(digests.begin(), digests.end(), name) == digests.end())
      old.push_back(at->path().string());
  }
  for (const std::string& path : old)
    if (const Status removed = disk_.remove(path); !removed)
      return;  // tried again with the next commit
}

}  // namespace headgate::reconciler
