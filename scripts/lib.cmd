@echo off
rem Untried on Windows: written with care, never run there.
rem What the scripts share: checks Node.js, installs and builds. Called with the project's folder as the working directory.
where node >nul 2>nul
if errorlevel 1 (
  echo Node.js is not installed; Lockstep needs version 20.15 or later ^(https://nodejs.org^). 1>&2
  exit /b 1
)
node -e "const [a, b] = process.versions.node.split('.').map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)"
if errorlevel 1 (
  echo This Node.js is too old; Lockstep needs version 20.15 or later. 1>&2
  exit /b 1
)
if not exist node_modules\.package-lock.json (
  echo Installing packages ...
  call npm ci --no-audit --no-fund --no-progress --loglevel=error
  if errorlevel 1 exit /b 1
)
echo Building ...
call npm run --silent build
exit /b %errorlevel%
