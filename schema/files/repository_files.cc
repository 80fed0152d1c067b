// SPDX-License-Identifier: MIT
// Resolves references to files.
#include "schema/files/repository_files.h"

#include <fmt/format.h>

#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::schema {

TreeIndex::TreeIndex(const Tree& tree) : tree_(tree) {
  by_path_.reserve(tree.entries().size());
  for (const Tree::Entry& entry : tree.entries()) by_path_.emplace(entry.path, &entry);
}

const Tree::Entry* TreeIndex::find(const std::string& path) const {
  auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

RepositoryFiles::RepositoryFiles(const TreeIndex& index, std::string_view referring_file)
    : index_(index), folder_(referring_file.substr(0, referring_file.rfind('/') + 1)) {}

bool RepositoryFiles::read(std::string_view path, ReferencedFile& file, FileProblem& problem) {
  std::string beside = resolve_path(folder_, path);
  std::string from_root = resolve_path("", path);
  if (beside.empty()) {
    problem = {Code::FileOutside, fmt::format("the path {} leaves the repository", in_quotes(path)),
               "name a file of the repository, without a leading /"};
    return false;
  }
  const Tree::Entry* entry = nullptr;
  for (const std::string& candidate : {beside, from_root}) {
    if (entry != nullptr || candidate.empty()) continue;
    entry = index_.find(candidate);
    dependencies_.push_back({candidate, entry == nullptr ? "" : entry->id});
  }
  if (entry == nullptr) {
    problem = {Code::FileMissing, fmt::format("there is no file {}", in_quotes(path)),
               beside == from_root || from_root.empty()
                   ? fmt::format("looked for {}", beside)
                   : fmt::format("looked for {} and {}", beside, from_root)};
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
  file.path = entry->path;
  file.content = std::move(*content);
  return true;
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
