// SPDX-License-Identifier: MIT
// Resolves references to files.
#include "schema/files/repository_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::schema {
namespace {

constexpr const char* kLfsHint =
    "keep it in git itself: take it out of .gitattributes, then git lfs migrate export "
    "--include=PATH";

std::string lfs_message(const std::string& path) {
  return fmt::format("{} is a pointer of Git LFS, whose files are not fetched", in_quotes(path));
}

/// The submodule that `path` is in; empty: none.
std::string submodule_around(const TreeIndex& index, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const Tree::Entry* entry = index.find(path.substr(0, slash));
    if (entry != nullptr && entry->kind == Tree::Entry::Kind::Submodule) return entry->path;
  }
  return {};
}

}  // namespace

TreeIndex::TreeIndex(const Tree& tree) : tree_(tree) {
  by_path_.reserve(tree.entries().size());
  for (const Tree::Entry& entry : tree.entries()) by_path_.emplace(entry.path, &entry);
}

const Tree::Entry* TreeIndex::find(const std::string& path) const {
  auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

bool RepositoryFiles::read(std::string_view path, const std::string& from, ReferencedFile& file,
                           FileProblem& problem) {
  const std::string folder = from.substr(0, from.rfind('/') + 1);
  std::vector<std::string> candidates = {resolve_path(folder, path)};
  if (candidates[0].empty()) {
    problem = {Code::FileOutside, fmt::format("the path {} leaves the repository", in_quotes(path)),
               "name a file of the repository, without a leading /"};
    return false;
  }
  for (const std::string& root : {index_.tree().layout().prefix(), std::string()})
    if (const std::string candidate = resolve_path(root, path);
        !candidate.empty() &&
        std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
      candidates.push_back(candidate);
  const Tree::Entry* entry = nullptr;
  for (const std::string& candidate : candidates) {
    entry = index_.find(candidate);
    dependencies_.push_back({candidate, entry == nullptr ? "" : entry->id});
    if (entry != nullptr) break;
  }
  if (entry == nullptr) {
    for (const std::string& candidate : candidates)
      if (const auto submodule = submodule_around(index_, candidate); !submodule.empty()) {
        problem = {Code::Submodule,
                   fmt::format("{} is in {}, a submodule: it is not fetched", in_quotes(candidate),
                               in_quotes(submodule)),
                   kSubmoduleHint};
        return false;
      }
    problem = {Code::FileMissing, fmt::format("there is no file {}", in_quotes(path)),
               "looked for " + join(candidates, " and ")};
    return false;
  }
  if (entry->size > kMaxFileOctets) {
    problem = {Code::ReferencedFileTooLarge,
               fmt::format("the file {} has {} octets, at most {} are read", in_quotes(entry->path),
                           entry->size, kMaxFileOctets),
               "serve it from an origin"};
    return false;
  }
  Result<std::string> content = index_.tree().read(*entry);
  if (!content) {
    problem = {Code::Unreadable,
               fmt::format("the file {} cannot be read: {}", in_quotes(entry->path),
                           content.error().context),
               ""};
    return false;
  }
  if (is_lfs_pointer(*content)) {
    problem = {Code::LfsPointer, lfs_message(entry->path), kLfsHint};
    return false;
  }
  file.path = entry->path;
  file.content = std::move(*content);
  return true;
}

std::optional<std::string> read_configuration(const Tree& tree, const Tree::Entry& entry,
                                              std::vector<Diagnostic>& diagnostics) {
  Decoder decoder(entry.path, nullptr, diagnostics);
  if (entry.size > kMaxFileOctets) {
    decoder.error(
        Code::FileTooLarge, {},
        fmt::format("the file has {} octets, at most {} are read", entry.size, kMaxFileOctets),
        "split it: any file may hold resources");
    return std::nullopt;
  }
  Result<std::string> text = tree.read(entry);
  if (!text) {
    decoder.error(Code::Unreadable, {},
                  fmt::format("the file cannot be read: {}", text.error().context));
    return std::nullopt;
  }
  if (is_lfs_pointer(*text)) {
    decoder.error(Code::LfsPointer, {}, lfs_message(entry.path), kLfsHint);
    return std::nullopt;
  }
  return std::move(*text);
}

bool is_lfs_pointer(std::string_view content) {
  return content.starts_with("version https://git-lfs.github.com/spec/");
}

std::string resolve_path(std::string_view folder, std::string_view path) {
  if (path.starts_with('/') || path.find('\0') != std::string_view::npos) return {};
  std::vector<std::string_view> parts;
  for (std::string_view rest : {folder, path}) {
    while (!rest.empty()) {
      std::string_view part = rest.substr(0, rest.find('/'));
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return {};
      } else {
        parts.pop_back();
      }
    }
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

}  // namespace headgate::schema
