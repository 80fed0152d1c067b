// SPDX-License-Identifier: MIT
// Look-ups in their steps, and the thread that takes them.
#include "appliance/guard/waf/bots/resolver.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "appliance/base/background.h"
#include "appliance/guard/waf/bots/dns_channel.h"
#include "schema/text.h"

namespace headgate::guard::waf {

struct Resolver::Lookup {
  base::IpAddress address;
  Domains domains;
  Done done;
  Network network{};
  base::MonoTime deadline;
  std::vector<std::string> names = {};
  std::size_t next_name = 0;
  bool has_failed = false;  ///< the addresses of a name could not be had
};

bool is_within(std::string_view name, const std::vector<std::string>& domains) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  // A dot within a label, say, would be written `\.`.
  if (!std::all_of(name.begin(), name.end(), is_plain)) return false;
  if (name.ends_with('.')) name.remove_suffix(1);
  const std::string lower = schema::to_lower(name);
  return std::any_of(domains.begin(), domains.end(), [&lower](const std::string& domain) {
    if (!lower.ends_with(domain)) return false;
    return lower.size() == domain.size() || lower[lower.size() - domain.size() - 1] == '.';
  });
}

Resolver::Resolver(Options options) : options_(std::move(options)) {}

Resolver::~Resolver() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    if (wake_ >= 0) ::eventfd_write(wake_, 1);
  }
  if (thread_.joinable()) thread_.join();
  if (wake_ >= 0) ::close(wake_);
}

Resolver::Network Resolver::network_of(const base::IpAddress& address) {
  Network network{};
  network[0] = address.is_v4() ? 4 : 6;
  std::copy_n(address.octets().begin(), address.is_v4() ? 3 : 6, network.begin() + 1);
  return network;
}

bool Resolver::ask(const base::IpAddress& address, const Domains& domains, Done done) {
  const Network network = network_of(address);
  const base::MutexLock lock(mutex_);
  if (stopping_ || outstanding_ >= options_.outstanding) return false;
  const auto of_network = of_network_.find(network);
  if (of_network != of_network_.end() && of_network->second >= options_.of_network) return false;
  if (!thread_.joinable() && !start_thread()) return false;
  auto lookup = std::make_shared<Lookup>();
  lookup->address = address;
  lookup->domains = domains;
  lookup->done = std::move(done);
  lookup->network = network;
  waiting_.push_back(std::move(lookup));
  ++of_network_[network];
  ++outstanding_;
  ::eventfd_write(wake_, 1);
  return true;
}

bool Resolver::start_thread() {
  if (wake_ < 0) wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return false;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no more threads: there is another try with the next one
    return false;
  }
  return true;
}

void Resolver::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-dns");
  base::work_in_background(0);
  std::vector<LookupPtr> taken;
  while (take(taken)) {
    for (const LookupPtr& lookup : taken) begin(lookup);
    if (running_ > 0) {
      channel_->wait(wake_);
    } else if (taken.empty()) {  // else all of them failed at once, and others may wait
      channel_.reset();
      idle();
    }
    eventfd_t count = 0;
    ::eventfd_read(wake_, &count);
  }
  closing_ = true;
  channel_.reset();
}

void Resolver::idle() const {
  pollfd wake{wake_, POLLIN, 0};
  ::poll(&wake, 1, -1);
}

/// Those that there is room for; false at the end.
bool Resolver::take(std::vector<LookupPtr>& taken) {
  taken.clear();
  const base::MutexLock lock(mutex_);
  while (!waiting_.empty() && running_ + taken.size() < options_.at_once) {
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return !stopping_;
}

void Resolver::begin(const LookupPtr& lookup) {
  ++running_;
  if (channel_ == nullptr) {
    auto opened = DnsChannel::open({options_.servers, options_.patience, options_.tries});
    if (!opened) return finish(lookup, Answer::Failed);
    channel_ = std::move(*opened);
  }
  lookup->deadline = base::mono_now() + options_.limit;
  using Outcome = DnsChannel::Outcome;
  channel_->names_of(
      lookup->address, [this, lookup](Outcome outcome, std::vector<std::string> names) {
        if (outcome == Outcome::Failed) return finish(lookup, Answer::Failed);
        for (std::string& name : names)
          if (lookup->names.size() < options_.names_of_address && is_within(name, *lookup->domains))
            lookup->names.push_back(std::move(name));
        ask_next_name(lookup);
      });
}

void Resolver::ask_next_name(const LookupPtr& lookup) {
  if (lookup->next_name == lookup->names.size())
    return finish(lookup, lookup->has_failed ? Answer::Failed : Answer::Denied);
  if (closing_ || base::mono_now() >= lookup->deadline) return finish(lookup, Answer::Failed);
  using Outcome = DnsChannel::Outcome;
  channel_->addresses_of(
      lookup->names[lookup->next_name++], lookup->address.is_v6(),
      [this, lookup](Outcome outcome, const std::vector<base::IpAddress>& addresses) {
        if (std::find(addresses.begin(), addresses.end(), lookup->address) != addresses.end())
          return finish(lookup, Answer::Confirmed);
        lookup->has_failed = lookup->has_failed || outcome == Outcome::Failed;
        ask_next_name(lookup);
      });
}

void Resolver::finish(const LookupPtr& lookup, Answer answer) {
  --running_;
  {
    const base::MutexLock lock(mutex_);
    --outstanding_;
    const auto of_network = of_network_.find(lookup->network);
    if (--of_network->second == 0) of_network_.erase(of_network);
    if (stopping_) return;
  }
  lookup->done(answer);
}

}  // namespace headgate::guard::waf
