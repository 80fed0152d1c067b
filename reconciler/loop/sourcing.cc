// SPDX-License-Identifier: MIT
// The reconciler and the URLs of its source: what is said about them.
#include "reconciler/loop/reconciler.h"

namespace headgate::reconciler {

void Reconciler::show_source() {
  const SourceReport& report = source_->report();
  board_.source_looked_at(report);
  for (const std::string& line : source_->take_news()) log(line);
  for (const RemoteReport& remote : report.remotes) {
    if (remote.state != RemoteReport::State::Serving || remote.url == source_url_) continue;
    if (!source_url_.empty())
      record(Json{{"type", "sourceSwitched"}, {"url", remote.url}, {"message", report.explain()}});
    source_url_ = remote.url;
  }
}

}  // namespace headgate::reconciler
