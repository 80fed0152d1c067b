// SPDX-License-Identifier: MIT
// Makes libgit2 read objects by an ObjectReader.
#include "reconciler/source/objects/object_backend.h"

#include <git2.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#include <algorithm>

namespace headgate::reconciler {
namespace {

/// What libgit2 has for an object database of another kind: a struct of call-backs, in C.
struct Backend {
  git_odb_backend callbacks;  // first: libgit2 has its address
  std::shared_ptr<ObjectReader> reader;
};

ObjectReader& reader_of(git_odb_backend* callbacks) {
  return *reinterpret_cast<Backend*>(callbacks)->reader;
}

std::string hex(const git_oid* id, std::size_t digits) {
  std::string text(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(text.data(), id);
  text.resize(std::min(digits, text.size()));
  return text;
}

int tell(const Error& error) {
  git_error_set_str(GIT_ERROR_ODB, error.context.c_str());
  return error.blame == Blame::Config ? GIT_EAMBIGUOUS : GIT_ERROR;
}

int tell_missing(const std::string& id) {
  git_error_set_str(GIT_ERROR_ODB, ("object not found, or damaged: " + id).c_str());
  return GIT_ENOTFOUND;
}

/// Of an id or its beginning; what is null is not wanted.
int read_any(git_oid* full, void** octets, std::size_t* size, git_object_t* type,
             git_odb_backend* callbacks, const std::string& id) {
  const auto found = reader_of(callbacks).read(id);
  if (!found) return tell(found.error());
  if (!*found) return tell_missing(id);
  const ObjectContent& content = **found;
  if (full != nullptr && git_oid_fromstr(full, content.header.id.c_str()) != 0) return GIT_ERROR;
  *octets = git_odb_backend_data_alloc(callbacks, std::max<std::size_t>(content.octets.size(), 1));
  if (*octets == nullptr) return GIT_ERROR;
  std::copy(content.octets.begin(), content.octets.end(), static_cast<char*>(*octets));
  *size = content.octets.size();
  *type = git_object_string2type(content.header.type.c_str());
  return GIT_OK;
}

int read(void** octets, std::size_t* size, git_object_t* type, git_odb_backend* callbacks,
         const git_oid* id) {
  return read_any(nullptr, octets, size, type, callbacks, hex(id, GIT_OID_HEXSZ));
}

int read_prefix(git_oid* full, void** octets, std::size_t* size, git_object_t* type,
                git_odb_backend* callbacks, const git_oid* beginning, std::size_t digits) {
  return read_any(full, octets, size, type, callbacks, hex(beginning, digits));
}

int find(const std::string& id, git_odb_backend* callbacks, ObjectHeader& header) {
  auto found = reader_of(callbacks).header(id);
  if (!found) return tell(found.error());
  if (!*found) return tell_missing(id);
  header = std::move(**found);
  return GIT_OK;
}

int read_header(std::size_t* size, git_object_t* type, git_odb_backend* callbacks,
                const git_oid* id) {
  ObjectHeader header;
  if (const int error = find(hex(id, GIT_OID_HEXSZ), callbacks, header); error != GIT_OK)
    return error;
  *size = header.size;
  *type = git_object_string2type(header.type.c_str());
  return GIT_OK;
}

int exists(git_odb_backend* callbacks, const git_oid* id) {
  ObjectHeader header;
  return find(hex(id, GIT_OID_HEXSZ), callbacks, header) == GIT_OK ? 1 : 0;
}

int exists_prefix(git_oid* full, git_odb_backend* callbacks, const git_oid* beginning,
                  std::size_t digits) {
  ObjectHeader header;
  if (const int error = find(hex(beginning, digits), callbacks, header); error != GIT_OK)
    return error;
  return git_oid_fromstr(full, header.id.c_str());
}

void free_backend(git_odb_backend* callbacks) { delete reinterpret_cast<Backend*>(callbacks); }

tl::unexpected<Error> failure() {
  const git_error* error = git_error_last();
  return fail(Blame::Self, "preparing to read objects: {}",
              error != nullptr ? error->message : "unknown error");
}

}  // namespace

Status read_objects_by(std::shared_ptr<ObjectReader> reader, git_repository* repository) {
  git_odb* database = nullptr;
  if (git_odb_new(&database) != 0) return failure();
  const std::unique_ptr<git_odb, void (*)(git_odb*)> owner(database, git_odb_free);
  auto backend = std::make_unique<Backend>();
  git_odb_init_backend(&backend->callbacks, GIT_ODB_BACKEND_VERSION);
  backend->callbacks.read = read;
  backend->callbacks.read_prefix = read_prefix;
  backend->callbacks.read_header = read_header;
  backend->callbacks.exists = exists;
  backend->callbacks.exists_prefix = exists_prefix;
  backend->callbacks.free = free_backend;
  backend->reader = std::move(reader);
  if (git_odb_add_backend(database, &backend->callbacks, 1) != 0) return failure();
  backend.release();  // libgit2's now: it calls `free`
  if (git_repository_set_odb(repository, database) != 0) return failure();
  return {};
}

}  // namespace headgate::reconciler
