// SPDX-License-Identifier: MIT
#include "appliance/origin/client.h"

#include <unordered_map>

#include "appliance/base/assert.h"
#include "appliance/origin/curl/exchange.h"
#include "appliance/origin/curl/multi.h"

namespace headgate::origin {

std::string_view proxy_error(Failure failure) {
  switch (failure) {
    case Failure::DnsError:
      return "dns_error";
    case Failure::DnsTimeout:
      return "dns_timeout";
    case Failure::ConnectionRefused:
      return "connection_refused";
    case Failure::ConnectionTimeout:
      return "connection_timeout";
    case Failure::ConnectionTerminated:
      return "connection_terminated";
    case Failure::TlsProtocolError:
      return "tls_protocol_error";
    case Failure::TlsCertificateError:
      return "tls_certificate_error";
    case Failure::HttpResponseTimeout:
      return "http_response_timeout";
    case Failure::HttpResponseIncomplete:
      return "http_response_incomplete";
    case Failure::HttpProtocolError:
      return "http_protocol_error";
    case Failure::HttpRequestError:
      return "http_request_error";
    case Failure::Cancelled:
    case Failure::Internal:
      return "proxy_internal_error";
  }
  return "proxy_internal_error";
}

bool is_sign_of_sickness(int status) { return status == 500 || (status >= 502 && status <= 504); }

bool is_sign_of_sickness(Failure failure) {
  return failure != Failure::HttpRequestError && failure != Failure::Cancelled &&
         failure != Failure::Internal;
}

int status_of(Failure failure) {
  const bool timeout = failure == Failure::DnsTimeout || failure == Failure::ConnectionTimeout ||
                       failure == Failure::HttpResponseTimeout;
  return timeout ? 504 : 502;
}

namespace {

class ExchangeTransfer final : public Transfer {
 public:
  explicit ExchangeTransfer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ExchangeTransfer() override { exchange_->cancel(); }
  void resume() override { exchange_->resume(); }
  void body_ready() override { exchange_->body_ready(); }
  bool reused_connection() const override { return exchange_->reused_connection(); }

 private:
  std::shared_ptr<Exchange> exchange_;
};

/// One question to an origin that is down.
class Probe final : public Sink {
 public:
  using OnEnd = base::UniqueFunction<void(Probe*)>;
  Probe(std::shared_ptr<const Endpoint> endpoint, base::Loop& loop, OnEnd on_end)
      : endpoint_(std::move(endpoint)), loop_(loop), on_end_(std::move(on_end)) {}
  void carry(std::unique_ptr<Transfer> transfer) { transfer_ = std::move(transfer); }

  void on_interim(int, http::Fields) override {}
  void on_head(const ResponseHead& head) override {
    if (!is_sign_of_sickness(head.status)) endpoint_->latch->succeeded();
  }
  bool on_octets(std::string_view) override { return true; }
  void on_complete() override { on_end_(this); }
  void on_failure(Failure failure, std::string_view) override {
    if (is_sign_of_sickness(failure)) endpoint_->latch->failed(loop_.now());
    on_end_(this);
  }

 private:
  std::shared_ptr<const Endpoint> endpoint_;
  base::Loop& loop_;
  OnEnd on_end_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace

struct Client::Impl {
  explicit Impl(base::Loop& the_loop) : loop(the_loop), multi(the_loop) {}

  /// Not at once: it is the probe that is calling.
  void forget(Probe* ended) {
    const auto found = probes.find(ended);
    loop.post([kept = std::shared_ptr<Probe>(std::move(found->second))] {});
    probes.erase(found);
  }

  base::Loop& loop;
  CurlMulti multi;
  std::unordered_map<Exchange*, std::shared_ptr<Exchange>> exchanges;
  std::unordered_map<Probe*, std::unique_ptr<Probe>> probes;  ///< end before what they ask through
};

Client::Client(base::Loop& loop) : impl_(std::make_unique<Impl>(loop)) {}

Client::~Client() {
  impl_->probes.clear();
  auto exchanges = std::move(impl_->exchanges);
  impl_->exchanges.clear();
  for (auto& [key, exchange] : exchanges) exchange->detach();
}

std::unique_ptr<Transfer> Client::start(std::shared_ptr<const Endpoint> endpoint, Request request,
                                        Sink& sink) {
  HG_ASSERT(endpoint != nullptr);
  Impl* impl = impl_.get();
  auto exchange =
      std::make_shared<Exchange>(impl->multi, impl->loop, std::move(endpoint), std::move(request),
                                 sink, [impl](Exchange* ended) { impl->exchanges.erase(ended); });
  impl->exchanges.emplace(exchange.get(), exchange);
  exchange->begin();
  return std::make_unique<ExchangeTransfer>(std::move(exchange));
}

void Client::probe(std::shared_ptr<const Endpoint> endpoint, Request request) {
  request.method = "HEAD";
  request.body.reset();
  Impl* impl = impl_.get();
  auto probe =
      std::make_unique<Probe>(endpoint, impl->loop, [impl](Probe* ended) { impl->forget(ended); });
  Probe* const asking = probe.get();
  impl->probes.emplace(asking, std::move(probe));
  asking->carry(start(std::move(endpoint), std::move(request), *asking));
}

std::size_t Client::transfers() const { return impl_->exchanges.size(); }

}  // namespace headgate::origin
