// SPDX-License-Identifier: MIT
// The names of enumerations, as CloudFront writes them.
#pragma once

#include "schema/table/composite.h"

namespace headgate::schema {

#define HG_SCHEMA_CHOICES(E, ...)                \
  template <>                                    \
  struct TypeOf<E> {                             \
    static const Type& get() {                   \
      static const ChoiceOf<E> type __VA_ARGS__; \
      return type;                               \
    }                                            \
  }

HG_SCHEMA_CHOICES(HttpVersion, ({{HttpVersion::Http1_1, "http1.1"},
                                 {HttpVersion::Http2, "http2"},
                                 {HttpVersion::Http3, "http3"},
                                 {HttpVersion::Http2And3, "http2and3"}}));

HG_SCHEMA_CHOICES(ViewerProtocolPolicy,
                  ({{ViewerProtocolPolicy::AllowAll, "allow-all"},
                    {ViewerProtocolPolicy::HttpsOnly, "https-only"},
                    {ViewerProtocolPolicy::RedirectToHttps, "redirect-to-https"}}));

HG_SCHEMA_CHOICES(Compat, ({{Compat::Headgate, "headgate"}, {Compat::CloudFront, "cloudfront"}}));

HG_SCHEMA_CHOICES(MinimumProtocolVersion, ({{MinimumProtocolVersion::Tls1_2018, "TLSv1.2_2018"},
                                            {MinimumProtocolVersion::Tls1_2019, "TLSv1.2_2019"},
                                            {MinimumProtocolVersion::Tls1_2021, "TLSv1.2_2021"},
                                            {MinimumProtocolVersion::Tls1_2_2025, "TLSv1.2_2025"},
                                            {MinimumProtocolVersion::Tls1_3_2025, "TLSv1.3_2025"}},
                                           {"SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016"}));

HG_SCHEMA_CHOICES(GeoRestriction::Type, ({{GeoRestriction::Type::None, "none"},
                                          {GeoRestriction::Type::Whitelist, "whitelist"},
                                          {GeoRestriction::Type::Blacklist, "blacklist"}}));

HG_SCHEMA_CHOICES(GeoRestriction::Unknown, ({{GeoRestriction::Unknown::Allow, "allow"},
                                             {GeoRestriction::Unknown::Deny, "deny"}}));

HG_SCHEMA_CHOICES(OriginProtocolPolicy, ({{OriginProtocolPolicy::HttpOnly, "http-only"},
                                          {OriginProtocolPolicy::HttpsOnly, "https-only"},
                                          {OriginProtocolPolicy::MatchViewer, "match-viewer"}}));

HG_SCHEMA_CHOICES(TlsVersion, ({{TlsVersion::Tls1_0, "TLSv1"},
                                {TlsVersion::Tls1_1, "TLSv1.1"},
                                {TlsVersion::Tls1_2, "TLSv1.2"},
                                {TlsVersion::Tls1_3, "TLSv1.3"}},
                               {"SSLv3"}));

HG_SCHEMA_CHOICES(Invalidation::Mode, ({{Invalidation::Mode::Revalidate, "revalidate"},
                                        {Invalidation::Mode::Delete, "delete"}}));

HG_SCHEMA_CHOICES(ExpectCase::Certificate, ({{ExpectCase::Certificate::Valid, "valid"},
                                             {ExpectCase::Certificate::Expired, "expired"},
                                             {ExpectCase::Certificate::NotYetValid, "notYetValid"},
                                             {ExpectCase::Certificate::OtherHost, "otherHost"},
                                             {ExpectCase::Certificate::SelfSigned, "selfSigned"}}));

HG_SCHEMA_CHOICES(Notification::Type, ({{Notification::Type::Webhook, "webhook"},
                                        {Notification::Type::GitHub, "github"},
                                        {Notification::Type::GitLab, "gitlab"},
                                        {Notification::Type::Gitea, "gitea"}}));

HG_SCHEMA_CHOICES(Notification::Event, ({{Notification::Event::Activated, "activated"},
                                         {Notification::Event::Refused, "refused"},
                                         {Notification::Event::SourceFailed, "sourceFailed"},
                                         {Notification::Event::SourceRecovered, "sourceRecovered"},
                                         {Notification::Event::SourceSwitched, "sourceSwitched"},
                                         {Notification::Event::Suspended, "suspended"},
                                         {Notification::Event::Resumed, "resumed"},
                                         {Notification::Event::Suspected, "suspected"},
                                         {Notification::Event::Cleared, "cleared"},
                                         {Notification::Event::Overridden, "overridden"},
                                         {Notification::Event::Staged, "staged"},
                                         {Notification::Event::Widened, "widened"},
                                         {Notification::Event::Confirmed, "confirmed"},
                                         {Notification::Event::Upgraded, "upgraded"},
                                         {Notification::Event::UpgradeFailed, "upgradeFailed"},
                                         {Notification::Event::Invalidated, "invalidated"},
                                         {Notification::Event::Warmed, "warmed"},
                                         {Notification::Event::Started, "started"},
                                         {Notification::Event::Stopped, "stopped"}}));

HG_SCHEMA_CHOICES(CacheEviction, ({{CacheEviction::S3Fifo, "s3fifo"},
                                   {CacheEviction::Lru, "lru"},
                                   {CacheEviction::Gdsf, "gdsf"}}));

HG_SCHEMA_CHOICES(WarmList::Trigger, ({{WarmList::Trigger::Boot, "boot"},
                                       {WarmList::Trigger::Activation, "activation"},
                                       {WarmList::Trigger::Purge, "purge"}}));

HG_SCHEMA_CHOICES(Rollout::Sticky,
                  ({{Rollout::Sticky::Ip, "ip"}, {Rollout::Sticky::Cookie, "cookie"}}));

HG_SCHEMA_CHOICES(RolloutGuard::OnFail, ({{RolloutGuard::OnFail::Rollback, "rollback"},
                                          {RolloutGuard::OnFail::Ignore, "ignore"}}));

HG_SCHEMA_CHOICES(StreamingProfile,
                  ({{StreamingProfile::Hls, "hls"}, {StreamingProfile::Dash, "dash"}}));

/// Selections differ by what selects: CloudFront allows each collection its own.
inline const Type& all_selections() {
  static const ChoiceOf<Selection> type({{Selection::None, "none"},
                                         {Selection::Whitelist, "whitelist"},
                                         {Selection::AllExcept, "allExcept"},
                                         {Selection::All, "all"}});
  return type;
}
inline const Type& cache_header_selections() {
  static const ChoiceOf<Selection> type(
      {{Selection::None, "none"}, {Selection::Whitelist, "whitelist"}});
  return type;
}
inline const Type& forwarded_header_selections() {
  static const ChoiceOf<Selection> type(
      {{Selection::None, "none"},
       {Selection::Whitelist, "whitelist"},
       {Selection::AllViewer, "allViewer"},
       {Selection::AllViewerAndWhitelistCloudFront, "allViewerAndWhitelistCloudFront"},
       {Selection::AllExcept, "allExcept"}});
  return type;
}

}  // namespace headgate::schema
