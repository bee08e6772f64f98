@echo off
rem Untried on Windows: written with care, never run there.
rem The whole gate: install, build, type check, lint, all tests, short simulations. Stops at the first step that fails.
setlocal
cd /d "%~dp0.."
call scripts\lib.cmd
if errorlevel 1 exit /b 1
call npm run --silent typecheck
if errorlevel 1 exit /b 1
call npm run --silent lint
if errorlevel 1 exit /b 1
call npm test --silent
if errorlevel 1 exit /b 1
if exist test\simulation\main.ts call npm run --silent simulate -- --seeds 1000
exit /b %errorlevel%
