// SPDX-License-Identifier: MIT
#include "appliance/http/accept_encoding.h"

#include "appliance/http/weight.h"

namespace headgate::http {
namespace {

constexpr int kNone = 0;

}  // namespace

std::string_view name_of(Coding coding) {
  constexpr std::array<std::string_view, kCodings + 1> kNames = {"br", "zstd", "gzip", "identity"};
  return kNames[static_cast<std::size_t>(coding)];
}

AcceptEncoding::AcceptEncoding(Fields request) {
  for (const auto& field : request) {
    if (field.name != "accept-encoding") continue;
    present_ = true;
    std::string_view rest = field.value;
    for (std::string_view member; next_list_member(rest, member);) read(member);
  }
}

void AcceptEncoding::read(std::string_view member) {
  const std::size_t semicolon = member.find(';');
  std::string_view name = trim(member.substr(0, semicolon));
  if (equals_ignoring_case(name, "x-gzip")) name = "gzip";  // RFC 9110 section 8.4.1.3
  int* weight = name == "*" ? &others_ : nullptr;
  for (std::size_t i = 0; weight == nullptr && i <= kCodings; ++i)
    if (equals_ignoring_case(name, name_of(static_cast<Coding>(i)))) weight = &weights_[i];
  if (weight == nullptr || *weight != kUnset) return;
  *weight =
      semicolon == std::string_view::npos ? kFullWeight : weight_of(member.substr(semicolon + 1));
}

int AcceptEncoding::weight(Coding coding) const {
  const int own = weights_[static_cast<std::size_t>(coding)];
  if (own != kUnset) return own;
  if (coding == Coding::Identity) return others_ == kNone ? kNone : 1;
  return others_ != kUnset ? others_ : kNone;
}

CodingSet AcceptEncoding::among(CodingSet offered) const {
  CodingSet accepted;
  for (const Coding coding : kEveryCoding)
    accepted.add(coding, offered.contains(coding) && weight(coding) > kNone);
  return accepted;
}

Coding AcceptEncoding::choose(CodingSet available) const {
  Coding best = Coding::Identity;
  for (const Coding coding : kEveryCoding) {
    if (!available.contains(coding)) continue;
    const int own = weight(coding);
    const int beat = weight(best);
    if (own > kNone && (own > beat || (own == beat && best == Coding::Identity))) best = coding;
  }
  return best;
}

std::string_view to_field(CodingSet codings) {
  // By CodingSet::index: Brotli 1, Zstandard 2, gzip 4.
  constexpr std::array<std::string_view, 8> kFields = {
      "", "br", "zstd", "br,zstd", "gzip", "br,gzip", "zstd,gzip", "br,zstd,gzip"};
  return kFields[codings.index()];
}

}  // namespace headgate::http
