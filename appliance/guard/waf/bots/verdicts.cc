// SPDX-License-Identifier: MIT
// Verdicts in two lists, each in the order in which who asked for them came last.
#include "appliance/guard/waf/bots/verdicts.h"

#include <algorithm>

namespace headgate::guard::waf {
namespace {

base::Hash128 key_of(const base::IpAddress& address, const base::Hash128& identity) {
  std::array<char, sizeof identity + 17> octets{};
  std::copy_n(reinterpret_cast<const char*>(&identity), sizeof identity, octets.begin());
  octets[sizeof identity] = address.is_v4() ? 4 : 6;
  std::copy(address.octets().begin(), address.octets().end(), octets.begin() + sizeof identity + 1);
  return base::hash128({octets.data(), octets.size()});
}

}  // namespace

Verdicts::Verdicts(Ask ask, Options options) : ask_(std::move(ask)), options_(std::move(options)) {}

Verdict Verdicts::of(const base::IpAddress& address, const Domains& domains,
                     const base::Hash128& identity) {
  const base::Hash128 key = key_of(address, identity);
  const base::MonoTime now = options_.clock();
  Verdict verdict = Verdict::Pending;
  {
    const base::MutexLock lock(mutex_);
    Entry& entry = find_or_add(key);
    if (now < entry.until) verdict = entry.verdict;
    if (entry.asking || now < entry.ask_again) return verdict;
    entry.asking = true;
  }
  // Without the mutex: the answer may be there at once.
  if (!ask_(address, domains, [this, key](Resolver::Answer answer) { settle(key, answer); }))
    note_refused(key);
  return verdict;
}

/// As the one who came last.
Verdicts::Entry& Verdicts::find_or_add(const base::Hash128& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    Entry entry;
    entry.key = key;
    return add(std::move(entry));
  }
  Entries& list = list_of(*known->second);
  list.splice(list.begin(), list, known->second);
  return list.front();
}

Verdicts::Entry& Verdicts::add(Entry entry) {
  Entries& list = list_of(entry);
  list.push_front(std::move(entry));
  by_key_[list.front().key] = list.begin();
  if (list.size() > (&list == &verified_ ? options_.max_verified : options_.max_others)) {
    by_key_.erase(list.back().key);
    list.pop_back();
  }
  return list.front();
}

Verdicts::Entries& Verdicts::list_of(const Entry& entry) {
  return entry.verdict == Verdict::Verified ? verified_ : others_;
}

/// It may have been forgotten meanwhile.
void Verdicts::settle(const base::Hash128& key, Resolver::Answer answer) {
  const base::MonoTime now = options_.clock();
  const base::MutexLock lock(mutex_);
  Entry& known = find_or_add(key);
  known.asking = false;
  if (answer == Resolver::Answer::Failed) {
    ++stats_.failed;
    known.ask_again = now + options_.failed;
    return;
  }
  const bool verified = answer == Resolver::Answer::Confirmed;
  ++(verified ? stats_.verified : stats_.unverified);
  const Duration lifetime = verified ? options_.verified : options_.unverified;
  Entry entry;
  entry.key = key;
  entry.verdict = verified ? Verdict::Verified : Verdict::Unverified;
  entry.ask_again = now + lifetime;
  entry.until = entry.ask_again + lifetime;
  list_of(known).pop_front();
  add(entry);
}

void Verdicts::note_refused(const base::Hash128& key) {
  const base::MutexLock lock(mutex_);
  ++stats_.refused;
  find_or_add(key).asking = false;
}

Verdicts::Stats Verdicts::stats() const {
  const base::MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.verdicts = by_key_.size();
  return stats;
}

}  // namespace headgate::guard::waf
