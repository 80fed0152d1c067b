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

}  // namespace

struct Client::Impl {
  explicit Impl(base::Loop& the_loop) : loop(the_loop), multi(the_loop) {}

  base::Loop& loop;
  CurlMulti multi;
  std::unordered_map<Exchange*, std::shared_ptr<Exchange>> exchanges;
};

Client::Client(base::Loop& loop) : impl_(std::make_unique<Impl>(loop)) {}

Client::~Client() {
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

std::size_t Client::transfers() const { return impl_->exchanges.size(); }

}  // namespace headgate::origin
