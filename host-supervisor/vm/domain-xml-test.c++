#include "vm/domain-xml.h"

#include <stdlib.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "vm/xml-writer.h"

namespace bothy {
namespace {

VmSpec plainSpec() {
  VmSpec spec{};
  spec.name = kj::str("ws-7f3a");
  spec.cpus = 2;
  spec.memoryBytes = 512ull << 20;
  spec.kernel = kj::str("/images/base/vmlinux");
  spec.initramfs = kj::str("/images/base/initramfs");
  spec.rootImage = kj::str("/images/base/root.erofs");
  spec.dataDisk = kj::str("/var/lib/bothy/disks/ws-7f3a");
  spec.uid = 900007;
  spec.cid = 7;
  spec.commandLine = kj::str("console=ttyS0 quiet panic=-1");
  spec.runtimeDir = kj::str("/run/bothy/ws-7f3a");
  return spec;
}

DomainPaths plainPaths() {
  return {kj::str("/usr/bin/qemu-system-x86_64"), kj::str("/usr/share/qemu/qboot.rom"),
          kj::str("/run/bothy/ws-7f3a/secret"), kj::str("/run/bothy/ws-7f3a/m/console")};
}

HostAbilities abilities(HostAbilities::Accelerator accelerator, HostAbilities::Vsock vsock) {
  return {accelerator, vsock, nullptr, nullptr};
}

HostAbilities weakest() {
  return abilities(HostAbilities::Accelerator::TCG, HostAbilities::Vsock::VHOST_USER);
}

// Compares with golden/NAME; BOTHY_GOLDEN_UPDATE=1 in the environment writes it instead.
void checkGolden(kj::StringPtr name, kj::StringPtr actual) {
  auto fs = kj::newDiskFilesystem();
  auto path = fs->getCurrentPath().evalNative(kj::str(BOTHY_GOLDEN_DIR "/", name));
  if (getenv("BOTHY_GOLDEN_UPDATE") != nullptr) {
    fs->getRoot().openFile(path, kj::WriteMode::CREATE | kj::WriteMode::MODIFY)->writeAll(actual);
  }
  auto expected = fs->getRoot().openFile(path)->readAllText();
  CHECK(std::string(actual.cStr()) == std::string(expected.cStr()));
}

size_t count(kj::StringPtr text, kj::StringPtr part) {
  size_t found = 0;
  std::string haystack(text.cStr());
  for (size_t at = haystack.find(part.cStr()); at != std::string::npos;
       at = haystack.find(part.cStr(), at + 1)) {
    found++;
  }
  return found;
}

TEST_CASE("S14 S15 S18 S19 the domain of a host with nothing but software is the golden one") {
  checkGolden("tcg-vhost-user.xml", domainXml(plainSpec(), weakest(), 900007, plainPaths()));
}

TEST_CASE(
    "S43 a machine whose name is a workspace's id has the same id for libvirt at each start") {
  auto spec = plainSpec();
  spec.name = kj::str("0123456789abcdef0123456789abcdef");
  auto xml = domainXml(spec, weakest(), 900007, plainPaths());
  CHECK(count(xml, "<uuid>0123456789abcdef0123456789abcdef</uuid>") == 1);
}

TEST_CASE(
    "S14 S15 S18 S19 the domain of a host with KVM and the kernel's vsock is the golden one") {
  auto spec = plainSpec();
  spec.cpus = 1;
  spec.commandLine = kj::str("console=ttyS0 quiet panic=-1 noreplace-smp");
  checkGolden(
      "kvm-kernel-vsock.xml",
      domainXml(spec, abilities(HostAbilities::Accelerator::KVM, HostAbilities::Vsock::KERNEL), 107,
                plainPaths()));
}

TEST_CASE("S12 text in a spec adds neither an element nor an attribute") {
  auto plain = domainXml(plainSpec(), weakest(), 900007, plainPaths());
  const kj::StringPtr hostile[] = {
      "/x'/><hostdev/><a b='", "/x\"/><filesystem type='mount'/>", "/x</kernel><qemu:commandline/>",
      "/x\n-device e1000",     "/x,readonly=off,file=/etc/shadow", "/x&lt;&#39;]]><!--"};
  for (auto text : hostile) {
    auto spec = plainSpec();
    spec.kernel = kj::str(text);
    spec.initramfs = kj::str(text);
    spec.rootImage = kj::str(text);
    spec.dataDisk = kj::str(text);
    spec.commandLine = kj::str(text);
    auto xml = domainXml(spec, weakest(), 900007, plainPaths());
    CHECK(count(xml, "<") == count(plain, "<"));
    CHECK(count(xml, "'") == count(plain, "'"));
    CHECK(count(xml, "\n") == count(plain, "\n"));
  }
}

TEST_CASE("S12 a name that is no name, and an unsound size or address, is refused") {
  auto refuses = [](auto&& change) {
    auto spec = plainSpec();
    change(spec);
    CHECK_THROWS(domainXml(spec, weakest(), 900007, plainPaths()));
  };
  for (auto name : {"", "A", "a b", "a\n", "../a", "a,b", "a'", "ä",
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    refuses([&](VmSpec& spec) { spec.name = kj::str(name); });
  }
  refuses([](VmSpec& spec) { spec.cpus = 0; });
  refuses([](VmSpec& spec) { spec.memoryBytes += 1; });
  refuses([](VmSpec& spec) { spec.memoryBytes = 0; });
  refuses([](VmSpec& spec) { spec.cid = 2; });
  refuses([](VmSpec& spec) { spec.uid = 0; });
  refuses([](VmSpec& spec) { spec.kernel = kj::str("vmlinux"); });
  refuses([](VmSpec& spec) { spec.commandLine = kj::str("a\x01"); });
}

TEST_CASE("an XML document with an open element is not given out") {
  XmlWriter xml;
  xml.open("a");
  CHECK_THROWS(xml.finish());
  xml.text("b", "1 < 2 & \"3\"", {{"c", "it's"}});
  xml.close();
  CHECK(xml.finish() == "<a>\n  <b c='it&apos;s'>1 &lt; 2 &amp; &quot;3&quot;</b>\n</a>\n");
}

}  // namespace
}  // namespace bothy
