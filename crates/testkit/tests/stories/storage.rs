//! The authority's data directory: no room, two owners, wrong modes, an old copy put back.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::world::free_port;
use nt_testkit::{Options, World, process};
use serde_json::json;

use crate::{OWNER, story};

/// Starts a second `ntd` on this world's data; how it ended and what it said.
fn second_ntd(world: &World) -> Result<(Option<i32>, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut child = world.spawn_ntd("second", address)?;
    let status = process::wait(&mut child, Duration::from_secs(20)).context("it should refuse")?;
    Ok((status.code(), fs::read_to_string(world.dir().join("second.stderr"))?))
}

/// All files below a folder.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

#[test]
fn a_second_ntd_on_the_same_data_refuses_and_the_first_goes_on() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let (code, said) = second_ntd(world)?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("in use by another ntd"), "{said}");
        assert!(said.contains("--data-dir"), "it says what to do: {said}");
        assert_eq!(world.check(&first.token)?.status, 200);
        operator.create_token(&first.workspace, &json!({}))?;
        world.kill9()?;
        world.restart().context("a lock does not outlive its process")
    });
}

#[test]
fn nobody_else_can_read_the_data() {
    story(|world| {
        world.operator(OWNER)?.create_workspace("main")?;
        let mode =
            |path: &Path| -> Result<u32> { Ok(fs::metadata(path)?.permissions().mode() & 0o777) };
        let dir = world.data_dir();
        assert_eq!((mode(&dir)?, mode(&dir.join("keys"))?), (0o700, 0o700));
        let files = files_below(&dir)?;
        assert!(files.iter().any(|path| path.ends_with("key-secret")));
        for path in files {
            assert_eq!(mode(&path)? & 0o077, 0, "{}", path.display());
        }
        world.stop()?;
        fs::set_permissions(dir.join("keys"), Permissions::from_mode(0o755))?;
        let (code, said) = second_ntd(world)?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("chmod 700"), "{said}");
        Ok(())
    });
}

#[test]
fn an_old_copy_of_the_database_is_refused() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let doomed = operator.create_token(&first.workspace, &json!({}))?;
        world.stop()?;
        let dir = world.data_dir();
        let database = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ntd.db"))
        };
        let old: Vec<(PathBuf, Vec<u8>)> = files_below(&dir)?
            .into_iter()
            .filter(database)
            .map(|path| Ok((path.clone(), fs::read(&path)?)))
            .collect::<Result<_>>()?;
        assert!(!old.is_empty());
        world.restart()?;
        operator.revoke(&first.workspace, &doomed.jti)?;
        world.stop()?;
        for path in files_below(&dir)?.into_iter().filter(database) {
            fs::remove_file(path)?;
        }
        for (path, bytes) in &old {
            fs::write(path, bytes)?;
        }
        let (code, said) = second_ntd(world)?;
        assert_eq!(code, Some(1), "it would accept a revoked token: {said}");
        assert!(said.contains("older copy") || said.contains("put back"), "{said}");
        // Nor does it take a missing database for a first start.
        for (path, _) in &old {
            fs::remove_file(path)?;
        }
        let (code, said) = second_ntd(world)?;
        assert_eq!(code, Some(1), "{said}");
        Ok(())
    });
}

/// A world whose data is on a small file system of its own, which vanishes with the process: it is
/// mounted in a mount namespace (and, where we are not root, a user namespace) of the authority's.
fn on_a_small_disk() -> Result<World> {
    let dir = tempfile::tempdir()?.keep();
    let mount = "mount -t tmpfs -o size=3m,mode=0700 none \"$0\" && exec \"$@\"";
    let mut wrapper = vec!["unshare".into(), "--mount".into()];
    if !nix::unistd::geteuid().is_root() {
        wrapper.extend(["--user".into(), "--map-root-user".into()]);
    }
    wrapper.extend(["--".into(), "sh".into(), "-c".into(), mount.into(), dir.clone().into()]);
    World::with(Options { data_dir: Some(dir), wrapper, ..Options::default() })
}

#[test]
fn on_a_full_disk_nothing_is_claimed_and_with_room_again_it_works() {
    let world = on_a_small_disk().expect("an authority starts on a small disk");
    tell_of_the_full_disk(&world).expect("the story holds");
    fs::remove_dir(world.data_dir()).expect("only the mount point is left outside");
}

fn tell_of_the_full_disk(world: &World) -> Result<()> {
    let operator = world.operator(OWNER)?;
    let first = operator.create_workspace("main")?;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(operator.create_token(&first.workspace, &json!({}))?);
    }
    let outside = format!("/proc/{}/root{}", world.pid()?, world.data_dir().display());
    let ballast = Path::new(&outside).join("ballast");
    let mut file = File::create(&ballast)?;
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);

    // What was preallocated may still be written, so the first steps may succeed; each that does
    // must hold, and soon none does.
    let path = format!("/v1/workspaces/{}/tokens", first.workspace);
    let mut refused = 0;
    let mut created = 0;
    while refused < 3 {
        let answer =
            operator.call("POST", &path, Some(&json!({ "description": "x".repeat(256) })))?;
        match answer.status {
            201 => created += 1,
            503 => refused += 1,
            other => anyhow::bail!("{other}: {}", answer.text()),
        }
        assert!(created < 10_000, "the disk is not full");
        if answer.status == 503 {
            assert_eq!(answer.error_code().as_deref(), Some("UNAVAILABLE"), "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
        }
    }
    for token in &tokens {
        let target = format!("{path}/{}", token.jti);
        let answer = operator.call("DELETE", &target, None)?;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.error_code().as_deref(), Some("UNAVAILABLE"));
    }
    let alive = world.send(&nt_testkit::Request::get("/livez"))?.status;
    assert!(matches!(alive, 200 | 204), "{alive}");
    let listed = operator.tokens(&first.workspace, "active")?.len();
    assert_eq!(listed, 4 + created, "what was refused does not exist");
    for token in &tokens {
        assert_eq!(world.check(&token.token)?.status, 200, "what was refused did not happen");
    }

    fs::remove_file(&ballast)?;
    for token in &tokens {
        operator.revoke(&first.workspace, &token.jti)?;
        assert_eq!(world.check(&token.token)?.status, 401);
    }
    operator.create_token(&first.workspace, &json!({}))?;
    Ok(())
}
