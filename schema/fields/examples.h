// SPDX-License-Identifier: MIT
// One example a kind for the reference. A unit test loads them all together, so that what the
// reference shows runs.
#pragma once

namespace headgate::schema {

inline constexpr const char* kDistributionExample = R"(apiVersion: headgate/v1
kind: Distribution
metadata:
  name: shop
spec:
  aliases: [shop.example.com]
  webAclRef: shop-waf
  origins:
    - id: web
      domainName: web.example.com
  defaultCacheBehavior:
    targetOriginId: web
    viewerProtocolPolicy: redirect-to-https
  cacheBehaviors:
    - pathPattern: /api/*
      targetOriginId: web
      viewerProtocolPolicy: https-only
      cachePolicy: products-5m
)";

inline constexpr const char* kCachePolicyExample = R"(apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: products-5m }
spec:
  defaultTTL: 5m
  maxTTL: 1h
  parametersInCacheKeyAndForwardedToOrigin:
    enableAcceptEncodingGzip: true
    queryStrings: { behavior: whitelist, items: [category, page] }
)";

inline constexpr const char* kOriginRequestPolicyExample = R"(apiVersion: headgate/v1
kind: OriginRequestPolicy
metadata: { name: session }
spec:
  headers: { behavior: whitelist, items: [Origin, User-Agent] }
  cookies: { behavior: whitelist, items: [session] }
  queryStrings: { behavior: all }
)";

inline constexpr const char* kResponseHeadersPolicyExample = R"(apiVersion: headgate/v1
kind: ResponseHeadersPolicy
metadata: { name: mark }
spec:
  customHeaders: [{ header: X-Mark, value: "m1", override: true }]
  removeHeaders: [Server]
  securityHeaders:
    strictTransportSecurity: { accessControlMaxAgeSec: 365d, includeSubdomains: true }
    frameOptions: { frameOption: DENY }
)";

inline constexpr const char* kCertificateExample = R"(apiVersion: headgate/v1
kind: Certificate
metadata: { name: shop-cert }
spec:
  certificate: { file: certs/shop.pem }
  privateKey: { valueFrom: { file: /run/credentials/headgate/shop.key } }
)";

inline constexpr const char* kWebAclExample = R"(apiVersion: headgate/v1
kind: WebACL
metadata: { name: shop-waf }
spec:
  ipSets: { office: [203.0.113.0/24, "2001:db8::/32"] }
  rules:
    - name: admin-outsiders
      when: { all: [{ path: { prefix: /admin } }, { not: { ip: office } }] }
      labels: ["admin:outsider"]
      action: { block: { status: 404 } }
    - name: injections
      when: { any: [{ args: { sqli: true, transform: [url_decode_uni] } }, { xss: { fields: [query, body] } }] }
      action: block
    - name: login-rate
      rate: { limit: 20, window: 1m, key: [ip], when: { path: { exact: /login } } }
      action: { challenge: { bits: 18, immunity: 5m } }
)";

inline constexpr const char* kInvalidationExample = R"(apiVersion: headgate/v1
kind: Invalidation
metadata: { name: 2026-11-20-spring-prices }
spec:
  distribution: shop
  select:
    paths: [/images/hero.jpg, "/api/products*"]
)";

inline constexpr const char* kInvalidationScheduleExample = R"(apiVersion: headgate/v1
kind: InvalidationSchedule
metadata: { name: nightly-prices }
spec:
  distribution: shop
  cron: "0 6 * * *"
  select: { tags: [prices] }
)";

inline constexpr const char* kWarmListExample = R"(apiVersion: headgate/v1
kind: WarmList
metadata: { name: shop-front }
spec:
  distribution: shop
  paths: [/, "/api/products?page=1"]
  sitemap: /sitemap.xml
  rate: 20
)";

inline constexpr const char* kExpectExample = R"(apiVersion: headgate/v1
kind: Expect
metadata: { name: shop-routing }
spec:
  distribution: shop
  cases:
    - request: { url: "https://shop.example.com/api/products?page=2&utm=x" }
      expect: { behavior: /api/*, originId: web, cacheKey: { query: { page: "2" } }, ttl: 5m }
    - request: { url: "http://shop.example.com/" }
      expect: { status: 301, headers: { location: "https://shop.example.com/" } }
)";

inline constexpr const char* kSignersExample = R"(apiVersion: headgate/v1
kind: Signers
spec:
  allowedSigners: |
    alice@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOw27Kv+TotCXic/7C5l7uTkobwqSFL0IF9ISY3bAXQ6
    bob@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF3GTZKefx5k1xeAKkbNkk9Q5OKbjZGNuolNb+WWlTJ9
    ci-bot ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG4HW7Y0i3+BOfcdSTZ6yKls4U6NtzL0Jlwh8S6zW6wE
  groups:
    - { name: security, members: [alice@example.com, bob@example.com] }
  rules:
    - { paths: [signers.yaml, "waf/**"], signers: [security], required: 2 }
    - { paths: ["invalidations/**"], signers: [ci-bot, security], kinds: [Invalidation] }
    - { paths: ["**"], signers: [security] }
)";

inline constexpr const char* kFleetExample = R"(apiVersion: headgate/v1
kind: Fleet
metadata: { name: storefront, labels: { team: web } }
spec:
  guards: { prune: 30, purge: 50 }
  changeWindows: [{ cron: "0 8 * * mon-thu", for: 9h }]
)";

inline constexpr const char* kEdgeExample = R"(apiVersion: headgate/v1
kind: Edge
spec:
  source: { url: https://git.example.com/edge.git, ref: main, poll: 15s }
  http: ["0.0.0.0:80"]
  https: ["0.0.0.0:443"]
  trustedProxies: [10.0.0.0/8]
)";

}  // namespace headgate::schema
