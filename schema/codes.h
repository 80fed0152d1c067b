// SPDX-License-Identifier: MIT
// Every code a diagnostic can carry, in one list that the README's table is generated from.
#pragma once

#include <string>
#include <vector>

namespace headgate::schema {

/// Stable: a code is never reused for another meaning, a retired one leaves a gap.
/// 10xx what a file is · 11xx the envelope · 12xx fields · 13xx references · 14xx what a resource
/// means · 15xx invalidations and expectations · 16xx signatures.
enum class Code : int {
  FileTooLarge = 1001,
  NotUtf8 = 1002,
  ControlCharacter = 1003,
  Tab = 1004,
  Syntax = 1005,
  UnterminatedQuote = 1006,
  Alias = 1007,
  Tag = 1008,
  DuplicateKey = 1009,
  TooDeep = 1010,
  NotAMap = 1011,
  KeyNotText = 1012,
  NoResource = 1013,
  TooManyNodes = 1014,
  Unreadable = 1015,
  TooManyFiles = 1016,
  TooManyProblems = 1017,
  Submodule = 1018,
  LfsPointer = 1019,

  ApiVersion = 1101,
  KindMissing = 1102,
  KindUnknown = 1103,
  KindNotSupported = 1104,
  KindElsewhere = 1105,

  FieldUnknown = 1201,
  FieldNotSupported = 1202,
  FieldMissing = 1203,
  WrongType = 1204,
  OutOfRange = 1205,
  NotAChoice = 1206,
  Malformed = 1207,
  BooleanForText = 1208,
  ItemCount = 1209,
  DuplicateItem = 1210,
  Combination = 1211,
  NotSupportedValue = 1212,

  DuplicateResource = 1301,
  DuplicateAlias = 1302,
  OriginUnknown = 1303,
  PolicyUnknown = 1304,
  CertificateUnknown = 1305,
  DistributionUnknown = 1306,
  DuplicateOriginId = 1307,
  MemberUnknown = 1308,
  FileMissing = 1309,
  FileOutside = 1310,
  ReferencedFileTooLarge = 1311,
  BehaviorUnknown = 1312,
  HostUnknown = 1313,
  WebAclUnknown = 1314,
  IpSetUnknown = 1315,
  LabelUnknown = 1316,
  SecretUnknown = 1317,
  OverlayUnknown = 1318,
  PatchUnmatched = 1319,
  FolderMissing = 1320,

  TtlOrder = 1401,
  NotPem = 1402,
  KeyInRepository = 1403,
  ForbiddenHeader = 1404,
  CloudFrontLimit = 1405,
  Unreachable = 1406,
  OriginUnused = 1407,
  NothingToServe = 1408,
  CountryUnknown = 1409,
  NoEffect = 1410,
  InvalidationExpired = 1411,
  RegexSyntax = 1412,
  NeverMatches = 1413,
  SopsNotEncrypted = 1414,

  InvalidationDigestMismatch = 1501,
  ExpectationFailed = 1502,
  TooManyInvalidationPatterns = 1503,

  SignersInvalid = 1601,
  CommitUnsigned = 1602,
  SignatureInvalid = 1603,
  SignerUnknown = 1604,
  SignerNotAllowed = 1605,
  TooFewSigners = 1606,
  SelfGranting = 1607,
  MergeSmuggling = 1608,
  HistoryRewritten = 1609,
  CommitReplayed = 1610,
  KindNotAllowed = 1611,
  CommitMalformed = 1612,
  SignersWeak = 1613,

  TooMuchPruned = 1701,
  TooMuchPurged = 1702,
};

struct CodeInfo {
  Code code;
  const char* meaning;  ///< one sentence: what is wrong
  const char* remedy;   ///< one sentence: what to do
};

/// In ascending order of code.
const std::vector<CodeInfo>& codes();

/// The table of README.md.
std::string codes_markdown();

}  // namespace headgate::schema
