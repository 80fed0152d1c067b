// SPDX-License-Identifier: MIT
#include "appliance/origin/failover.h"

#include <algorithm>

namespace headgate::origin {
namespace {

bool may_fail_over(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool is_sick(const Group::Member& member) {
  return member.endpoint->latch != nullptr && member.endpoint->latch->is_sick();
}

}  // namespace

bool Group::is_sick() const {
  return !members.empty() && std::all_of(members.begin(), members.end(), [](const Member& member) {
    return origin::is_sick(member);
  });
}

struct Fetch::Impl final : Sink {
  Impl(Client& the_client, base::Loop& the_loop, std::shared_ptr<const Group> the_group,
       std::string the_method, RequestBuilder the_build, Sink& the_sink)
      : client(the_client),
        loop(the_loop),
        group(std::move(the_group)),
        method(std::move(the_method)),
        build(std::move(the_build)),
        sink(the_sink),
        nobody(the_loop.timers(),
               [this] { sink.on_failure(Failure::Internal, "an origin group without members"); }) {}

  /// Passes over members that are down, while another is not, and asks them beside it when that is
  /// due.
  void skip_sick() {
    if (!may_fail_over(method) || group->is_sick()) return;
    for (; next + 1 < group->members.size() && origin::is_sick(group->members[next]); ++next) {
      const Group::Member& member = group->members[next];
      if (member.endpoint->latch->take_probe(loop.now()))
        client.probe(member.endpoint, build(member));
    }
  }

  void try_next() {
    skip_sick();
    const Group::Member& member = group->members[next];
    attempted.failed_over = next > 0;
    ++next;
    attempted.member = &member;
    ++attempted.attempts;
    Request request = build(member);
    has_body = request.body != nullptr;
    transfer.reset();  // before the next starts: what is left of the last response is not read
    transfer = client.start(member.endpoint, std::move(request), *this);
  }

  bool may_go_on() const {
    return may_fail_over(method) && !has_body && next < group->members.size();
  }

  void on_interim(int status, http::Fields fields) override { sink.on_interim(status, fields); }
  void on_head(const ResponseHead& head) override {
    note(!is_sign_of_sickness(head.status));
    const std::vector<int>& codes = group->failover_status_codes;
    const bool unwanted = std::find(codes.begin(), codes.end(), head.status) != codes.end();
    if (unwanted && may_go_on()) return try_next();
    // Content that is announced may still not come; a head that has been passed on cannot be taken
    // back.
    if (may_go_on() && method == "GET" && head.content_length.value_or(0) > 0) {
      held.emplace(
          HeldHead{head.status, head.http2, http::FieldBlock(head.fields), head.content_length});
      return;
    }
    answered = true;
    sink.on_head(head);
  }
  bool on_octets(std::string_view octets) override {
    pass_on_held();
    return sink.on_octets(octets);
  }
  void on_complete() override {
    pass_on_held();
    sink.on_complete();
  }
  void on_failure(Failure failure, std::string_view details) override {
    held.reset();
    if (is_sign_of_sickness(failure)) note(false);
    if (!answered && may_go_on() && is_sign_of_sickness(failure)) return try_next();
    sink.on_failure(failure, details);
  }

  void note(bool well) {
    const auto& latch = attempted.member->endpoint->latch;
    if (latch == nullptr) return;
    well ? latch->succeeded() : latch->failed(loop.now());
  }

  void pass_on_held() {
    if (!held) return;
    const HeldHead head = std::move(*held);
    held.reset();
    answered = true;
    sink.on_head({head.status, head.http2, head.fields.fields(), head.content_length});
  }

  /// The head of a response whose content has not begun.
  struct HeldHead {
    int status;
    bool http2;
    http::FieldBlock fields;
    std::optional<std::uint64_t> content_length;
  };

  Client& client;
  base::Loop& loop;
  std::shared_ptr<const Group> group;
  std::string method;
  RequestBuilder build;
  Sink& sink;
  std::unique_ptr<Transfer> transfer;
  Attempted attempted;
  std::size_t next = 0;  ///< the member that is tried next
  bool has_body = false;
  bool answered =
      false;  ///< the sink has heard of a response: there is no other member for it any more
  std::optional<HeldHead> held;
  base::Timer nobody;
};

Fetch::Fetch(Client& client, base::Loop& loop, std::shared_ptr<const Group> group,
             std::string method, RequestBuilder build, Sink& sink)
    : impl_(std::make_unique<Impl>(client, loop, std::move(group), std::move(method),
                                   std::move(build), sink)) {}

Fetch::~Fetch() = default;

void Fetch::start() {
  if (impl_->group->members.empty()) return impl_->nobody.schedule_after(Duration::zero());
  impl_->try_next();
}

void Fetch::resume() {
  if (impl_->transfer != nullptr) impl_->transfer->resume();
}

void Fetch::body_ready() {
  if (impl_->transfer != nullptr) impl_->transfer->body_ready();
}

Attempted Fetch::attempted() const { return impl_->attempted; }

}  // namespace headgate::origin
