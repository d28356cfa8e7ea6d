import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, keepSecret, readConfig } from './config.ts'
import { originTest } from './cors.ts'

const secret = 'x'.repeat(32)

test('without anything set it is a shop in rupees on this machine, with its own database and simulators', () => {
  expect(readConfig({})).toMatchObject({
    port: 3000,
    host: '127.0.0.1',
    databaseUrl: undefined,
    currency: 'INR',
    simulators: true,
    admin: undefined,
  })
})

test('with a DATABASE_URL no simulator stands in for anything unless it is asked for', () => {
  const given = { DATABASE_URL: 'postgres://u:p@db:5432/x', JWT_SECRET: secret }
  expect(readConfig(given).simulators).toBe(false)
  expect(readConfig({ ...given, SIMULATORS: 'on' }).simulators).toBe(true)
})

test('mails go through SMTP_URL, in the name of MAIL_FROM or of the shop’s own domain', () => {
  const SMTP_URL = 'smtps://u:p@mail.example.com'
  expect(readConfig({}).smtp).toBeUndefined()
  expect(readConfig({ SMTP_URL, MAIL_FROM: 'Pantry <a@example.com>' }).smtp).toEqual({
    url: SMTP_URL,
    from: 'Pantry <a@example.com>',
  })
  expect(readConfig({ SMTP_URL, PUBLIC_URL: 'https://shop.example.com/x' }).smtp?.from).toBe(
    'Pantry <no-reply@shop.example.com>',
  )
  expect(() => readConfig({ SMTP_URL })).toThrow(/MAIL_FROM is required/)
  expect(() => readConfig({ SMTP_URL: 'http://x', MAIL_FROM: 'nobody' })).toThrow(/SMTP_URL .*\n.*MAIL_FROM/)
})

test('says all that is wrong at once, by the names of the variables', () => {
  const wrong = {
    PORT: '70000',
    DATABASE_URL: 'mysql://x',
    SHOP_CURRENCY: 'rupees',
    ADMIN_EMAIL: 'a@example.com',
    LOG_LEVEL: 'loud',
  }
  expect(() => readConfig(wrong)).toThrow(ConfigError)
  try {
    readConfig(wrong)
  } catch (error) {
    for (const name of ['PORT', 'DATABASE_URL', 'SHOP_CURRENCY', 'ADMIN_PASSWORD', 'LOG_LEVEL', 'JWT_SECRET']) {
      expect((error as Error).message).toContain(name)
    }
  }
  expect(() => readConfig({ JWT_SECRET: 'short' })).toThrow(/JWT_SECRET/)
  expect(() => readConfig({ LOG_LEVEL_CART: 'loud' })).toThrow(/LOG_LEVEL_CART must be one of trace, debug/)
  expect(readConfig({ LOG_LEVEL_CART: 'debug' }).env.LOG_LEVEL_CART).toBe('debug')
})

test('a transaction that loses races is run 3 to 5 times in all, as CONFLICT_ATTEMPTS says', () => {
  expect(readConfig({}).conflictAttempts).toBeUndefined()
  expect(readConfig({ CONFLICT_ATTEMPTS: '5' }).conflictAttempts).toBe(5)
  for (const wrong of ['2', '6', '3.5', 'many'])
    expect(() => readConfig({ CONFLICT_ATTEMPTS: wrong })).toThrow(/CONFLICT_ATTEMPTS/)
})

test('a data folder keeps one secret, for its owner alone', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-secret-'))
  try {
    const made = keepSecret(folder)
    expect(Buffer.byteLength(made)).toBeGreaterThanOrEqual(32)
    expect(keepSecret(folder)).toBe(made)
    expect(fs.statSync(path.join(folder, 'jwt-secret')).mode & 0o077).toBe(0)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('CORS admits exactly the origins that were named, a wildcard being one label', () => {
  const admits = originTest(['https://shop.example.com', 'https://*.example.org', 'http://*.local.test:8080'], {
    allowSharedHosting: false,
  })
  for (const origin of [
    'https://shop.example.com',
    'https://a.example.org',
    'HTTPS://A.EXAMPLE.ORG',
    'http://x.local.test:8080',
  ]) {
    expect([origin, admits(origin)]).toEqual([origin, true])
  }
  for (const origin of [
    'null',
    'http://shop.example.com',
    'https://shop.example.com.evil.io',
    'https://example.org',
    'https://a.b.example.org',
    'https://evil.io/.example.org',
    'https://evilexample.org',
    'https://a.example.org:444',
    'http://x.local.test',
    '',
  ]) {
    expect([origin, admits(origin)]).toEqual([origin, false])
  }
})

test('CORS refuses wildcards that admit strangers, unless they are meant', () => {
  for (const entry of [
    'https://*.vercel.app',
    'https://*.github.io',
    'https://*.com',
    '*',
    'shop.example.com',
    'https://a.*.example.com',
  ]) {
    expect(() => originTest([entry], { allowSharedHosting: false })).toThrow(ConfigError)
  }
  expect(originTest(['https://*.vercel.app'], { allowSharedHosting: true })('https://mine.vercel.app')).toBe(true)
})
