// bothy-image: builds, shows and checks image bundles.

#include <sys/stat.h>
#include <unistd.h>

#include <capnp/message.h>
#include <kj/filesystem.h>
#include <kj/main.h>

#include "bundle/bundle-builder.h"
#include "bundle/bundle-inspection.h"
#include "bundle/script.h"
#include "fault/fault.h"
#include "manifest/manifest-file.h"

namespace bothy {
namespace {

constexpr char VERSION[] = "bothy-image " BOTHY_VERSION;
constexpr kj::StringPtr DEFAULT_AGENT = "../guest-agent/bothy-agent"_kj;  // from our own folder

class ImageMain {
public:
  explicit ImageMain(kj::ProcessContext& context)
      : context(context), disk(kj::newDiskFilesystem()), images(kj::str(BOTHY_IMAGES)) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, VERSION, "Builds and checks the images that workspaces boot.")
        .addSubCommand("build", KJ_BIND_METHOD(*this, getBuild), "make an image bundle")
        .addSubCommand("inspect", KJ_BIND_METHOD(*this, getInspect), "show what a bundle holds")
        .addSubCommand("verify", KJ_BIND_METHOD(*this, getVerify),
                       "compare a bundle's files with its manifest")
        .build();
  }

private:
  kj::MainFunc getBuild() {
    return kj::MainBuilder(
               context, VERSION,
               "Makes the bundle of RECIPE (\"base\"): kernel, initramfs with the agent, "
               "root file system, manifest.  Kernel and root file system are built "
               "once and kept in the cache ($BOTHY_CACHE, else ~/.cache/bothy).")
        .addOptionWithArg({"output"}, KJ_BIND_METHOD(*this, setOutput), "DIR",
                          "where the bundle's folder is put (default: the current directory)")
        .addOptionWithArg({"agent"}, KJ_BIND_METHOD(*this, setAgent), "FILE",
                          "the static agent (default: the one of the same build)")
        .addOptionWithArg({"agent-version"}, KJ_BIND_METHOD(*this, setAgentVersion), "TEXT",
                          "what the manifest says of it (default: " BOTHY_VERSION ")")
        .addOptionWithArg(
            {"kernel"}, KJ_BIND_METHOD(*this, setKernel), "FILE",
            "this kernel, a vmlinux or a bzImage with CONFIG_PVH, in place of the one "
            "that kernel/build-kernel makes")
        .addOptionWithArg({"modules"}, KJ_BIND_METHOD(*this, setModules), "DIR",
                          "the /lib/modules/VERSION of a --kernel that has drivers as modules")
        .addOptionWithArg({"rootfs"}, KJ_BIND_METHOD(*this, setRootfs), "DIR",
                          "a folder made by rootfs/build-rootfs, in place of running it")
        .addOptionWithArg({"sources"}, KJ_BIND_METHOD(*this, setImages), "DIR",
                          "the folder with recipes, kernel and rootfs (default: the source tree's)")
        .expectArg("RECIPE", KJ_BIND_METHOD(*this, setRecipe))
        .callAfterParsing(KJ_BIND_METHOD(*this, build))
        .build();
  }

  kj::MainFunc getInspect() {
    return kj::MainBuilder(context, VERSION, "Shows what the bundle in DIR holds.")
        .addOption({"json"}, KJ_BIND_METHOD(*this, setJson), "the manifest, with all packages")
        .expectArg("DIR", KJ_BIND_METHOD(*this, setBundle))
        .callAfterParsing(KJ_BIND_METHOD(*this, inspect))
        .build();
  }

  kj::MainFunc getVerify() {
    return kj::MainBuilder(context, VERSION,
                           "Reads all files of the bundle in DIR and names each that is not what "
                           "the manifest says.  Succeeds if there is none.")
        .expectArg("DIR", KJ_BIND_METHOD(*this, setBundle))
        .callAfterParsing(KJ_BIND_METHOD(*this, verify))
        .build();
  }

  kj::MainBuilder::Validity setOutput(kj::StringPtr value) { return set(output, value); }
  kj::MainBuilder::Validity setAgent(kj::StringPtr value) { return set(agent, value); }
  kj::MainBuilder::Validity setAgentVersion(kj::StringPtr value) {
    return set(agentVersion, value);
  }
  kj::MainBuilder::Validity setKernel(kj::StringPtr value) { return set(kernel, value); }
  kj::MainBuilder::Validity setModules(kj::StringPtr value) { return set(modules, value); }
  kj::MainBuilder::Validity setRootfs(kj::StringPtr value) { return set(rootfs, value); }
  kj::MainBuilder::Validity setImages(kj::StringPtr value) { return set(images, value); }
  kj::MainBuilder::Validity setBundle(kj::StringPtr value) { return set(bundle, value); }
  kj::MainBuilder::Validity setRecipe(kj::StringPtr value) {
    if (value.size() == 0 || value[0] == '.' || value.findFirst('/') != nullptr) {
      return "it is the name of a folder of recipes/, like \"base\"";
    }
    return set(recipe, value);
  }
  kj::MainBuilder::Validity setJson() {
    json = true;
    return true;
  }

  kj::MainBuilder::Validity build() {
    return told([&] {
      // Every VM reads a bundle under a uid of its own.
      umask(022);
      auto agentPath = agent.size() > 0 ? path(agent) : ownFolder().eval(DEFAULT_AGENT);
      auto agentFile = open(agentPath, "build the target bothy-agent, or give it with --agent");
      // The quick checks come before the slow steps.
      auto agentBytes = agentFile->readAllBytes();
      if (rootfs.size() == 0) requireRecipe();
      auto moduleFolder = openModules();
      auto outputDirectory =
          disk->getRoot().openSubdir(path(output), kj::WriteMode::CREATE | kj::WriteMode::MODIFY |
                                                       kj::WriteMode::CREATE_PARENT);
      auto kernelPath = path(kernel.size() > 0 ? kj::str(kernel) : buildKernel());
      auto rootfsPath = path(rootfs.size() > 0 ? kj::str(rootfs) : buildRootfs());
      auto kernelFile = open(kernelPath, "give a vmlinux or a bzImage with --kernel");
      auto outcome = buildBundle({recipe, agentVersion, kj::mv(agentBytes), kj::mv(kernelFile),
                                  disk->getRoot().openSubdir(rootfsPath), kj::mv(moduleFolder)},
                                 *outputDirectory);
      kj::StringPtr word = outcome == BuildOutcome::BUILT ? "built"_kj : "unchanged"_kj;
      context.warning(
          kj::str("image ", recipe, " ", word, ": ", path(output).append(recipe).toString(true)));
    });
  }

  kj::MainBuilder::Validity inspect() {
    return told([&] {
      capnp::MallocMessageBuilder message;
      auto manifest = message.initRoot<manifest::Manifest>();
      readManifest(*openBundle(), manifest);
      print(json ? formatManifest(manifest) : describe(manifest));
    });
  }

  kj::MainBuilder::Validity verify() {
    kj::Vector<kj::String> differences;
    auto validity = told([&] { differences = findDifferences(*openBundle()); });
    for (auto& difference : differences) context.error(difference);
    if (differences.size() > 0) context.error("build the image again: bothy-image build");
    return validity;
  }

  // Runs `step`; an error is one sentence, without a stack.
  template <typename Step>
  kj::MainBuilder::Validity told(Step&& step) {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(kj::fwd<Step>(step))) {
      context.error(exception->getDescription());
    }
    return true;
  }

  kj::MainBuilder::Validity set(kj::String& member, kj::StringPtr value) {
    member = kj::str(value);
    return true;
  }

  kj::Path path(kj::StringPtr text) { return disk->getCurrentPath().eval(text); }

  kj::Path ownFolder() {
    auto self = disk->getRoot().readlink(kj::Path({"proc", "self", "exe"}));
    return kj::Path(nullptr).eval(self).parent().clone();
  }

  kj::Own<const kj::ReadableFile> open(kj::PathPtr path, kj::StringPtr advice) {
    auto file = disk->getRoot().tryOpenFile(path);
    KJ_IF_MAYBE (found, file) return kj::mv(*found);
    fail(kj::str("there is no file ", path.toString(true), ": ", advice));
  }

  kj::Own<const kj::ReadableDirectory> openBundle() {
    auto directory = disk->getRoot().tryOpenSubdir(path(bundle));
    KJ_IF_MAYBE (found, directory) return kj::mv(*found);
    fail(kj::str("there is no folder ", bundle));
  }

  kj::Maybe<kj::Own<const kj::ReadableDirectory>> openModules() {
    if (modules.size() == 0) return nullptr;
    if (kernel.size() == 0) fail(kj::str("--modules belong to a kernel: give it with --kernel"));
    auto directory = disk->getRoot().tryOpenSubdir(path(modules));
    if (directory == nullptr) fail(kj::str("there is no folder ", modules));
    return directory;
  }

  void requireRecipe() {
    auto folder = kj::str(images, "/recipes");
    if (!disk->getRoot().exists(path(folder).append(recipe).append("packages"))) {
      fail(kj::str("there is no recipe ", recipe, " in ", folder));
    }
  }

  kj::String buildKernel() {
    auto script = kj::str(images, "/kernel/build-kernel");
    return kj::str(runScript({script}), '/', KERNEL_FILE);
  }

  kj::String buildRootfs() {
    auto script = kj::str(images, "/rootfs/build-rootfs");
    auto folder = kj::str(images, "/recipes/", recipe);
    return runScript({script, folder});
  }

  void print(kj::StringPtr text) {
    kj::FdOutputStream(STDOUT_FILENO).write(text.begin(), text.size());
  }

  kj::ProcessContext& context;
  kj::Own<kj::Filesystem> disk;
  kj::String images;
  kj::String output = kj::str(".");
  kj::String agent;
  kj::String agentVersion = kj::str(BOTHY_VERSION);
  kj::String kernel;
  kj::String modules;
  kj::String rootfs;
  kj::String recipe;
  kj::String bundle;
  bool json = false;
};

}  // namespace
}  // namespace bothy

KJ_MAIN(bothy::ImageMain)
