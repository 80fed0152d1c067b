// SPDX-License-Identifier: MIT
// Puts a listener, the endpoints and the front together.
#include "appliance/admin/server.h"

#include "appliance/admin/front/front.h"
#include "appliance/admin/front/listener.h"

namespace headgate::admin {
namespace {

class FrontServer final : public Server {
 public:
  explicit FrontServer(std::unique_ptr<Front> front) : front_(std::move(front)) {}
  std::string address() const override { return front_->address(); }
  Result<int> release() override { return front_->release(); }

 private:
  std::unique_ptr<Front> front_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Options options, Appliance appliance) {
  const auto listen = options.listen;
  const bool exposable = options.health_only || (options.token && !options.token->empty());
  HG_TRY(auto listener,
         (options.inherited >= 0 ? Listener::adopt(listen, options.inherited)
                                 : Listener::open(listen)),
         "{} listener", options.health_only ? "health" : "admin");
  if (!listener->is_local() && !exposable) {
    return fail(Blame::Config,
                "admin listener: {} can be reached from other machines and there is no token: set "
                "HEADGATE_ADMIN_TOKEN, or listen on 127.0.0.1, [::1] or unix:PATH",
                listen);
  }
  HG_TRY(auto front,
         Front::start(std::move(listener), std::move(options), std::move(appliance), FrontLimits{}),
         "listening on {}", listen);
  return std::unique_ptr<Server>(std::make_unique<FrontServer>(std::move(front)));
}

}  // namespace headgate::admin
